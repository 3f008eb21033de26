"""PS3.15 Table E.1-1 as a table of actions, which can print itself.

The attributes and their actions come with the package dicom-anonymizer, generated from the standard's 2026c edition;
what is done for each is ours. Of an action that leaves a choice ("X/D") the one is taken that no IOD forbids.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom.datadict import dictionary_description, dictionary_VR
from pydicom.tag import BaseTag, Tag

EDITION = "2026c"
EXACT = 0xFFFFFFFF
"""Mask of a rule for one attribute."""


class Action(StrEnum):
    """What is done with an attribute (PS3.15 Table E.1-1a)."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    """Replaced by a UID that follows from it and the node's secret."""
    CLEAN = "C"
    """Its items are de-identified."""


TAKEN = {
    "X_TAGS": ("X", Action.REMOVE), "Z_TAGS": ("Z", Action.EMPTY), "D_TAGS": ("D", Action.DUMMY),
    "U_TAGS": ("U", Action.UID), "Z_D_TAGS": ("Z/D", Action.DUMMY), "X_Z_TAGS": ("X/Z", Action.EMPTY),
    "X_D_TAGS": ("X/D", Action.DUMMY), "X_Z_D_TAGS": ("X/Z/D", Action.DUMMY),
    "X_Z_U_STAR_TAGS": ("X/Z/U*", Action.CLEAN),
}  # fmt: skip
"""Of the standard's code, what is done."""
DATES = ("DA", "DT")
CHARACTERISTICS = {
    "PatientSex": "kept",
    "PatientAge": "kept; more than 89 years are told as 90",
    "PatientSize": "kept",
    "PatientWeight": "kept",
}
"""What the option to retain patient characteristics keeps."""


@dataclass(frozen=True)
class Options:
    """What an export may keep."""

    shift_dates: bool = False
    """Keep intervals: all dates of a patient move back by the same secret number of days."""
    characteristics: bool = False
    """Keep age, sex, size and weight."""


@dataclass(frozen=True)
class Rule:
    """What is done with one attribute, or with one of each repeating group."""

    tag: int
    mask: int
    code: str
    """As the standard writes it."""
    action: Action

    def words(self) -> str:
        """One line of the table."""
        tag = BaseTag(self.tag)
        if self.mask == EXACT:
            return f"| ({tag.group:04X},{tag.element:04X}) | {_name(tag)} | {self.code} | {self.action} |"
        element = f"{tag.element:04X}" if self.mask & 0xFFFF else "xxxx"
        return f"| ({tag.group >> 8:02X}xx,{element}) | of every such group | {self.code} | {self.action} |"


@dataclass(frozen=True)
class Table:
    """Every attribute that the profile names."""

    rules: dict[int, Rule]
    groups: tuple[Rule, ...]

    def rule(self, tag: int) -> Rule | None:
        """What is done with an attribute; None where the profile does not name it."""
        named = self.rules.get(int(tag))
        return named or next((rule for rule in self.groups if int(tag) & rule.mask == rule.tag), None)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"PS3.15 Table E.1-1, edition {EDITION}: Basic Application Level Confidentiality Profile."
        yield "X removed, Z emptied, D dummy value (a sequence is emptied), U new UID, C items de-identified."
        yield "Besides: private attributes, and those that the data dictionary does not know, are removed; every other"
        yield "UID that is not of the standard is replaced; every other person's name is emptied."
        yield "Patient ID and Patient's Name become a pseudonym of the patient's key."
        yield ""
        yield "| tag | attribute | standard | done |"
        yield "|---|---|---|---|"
        yield from (self.rules[tag].words() for tag in sorted(self.rules))
        yield from (rule.words() for rule in self.groups)


@cache
def basic_profile() -> Table:
    """The Basic Profile."""
    told = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    rules: dict[int, Rule] = {}
    groups: list[Rule] = []
    for column, (code, action) in TAKEN.items():
        for numbers in told[column]:
            tag = int(Tag(numbers[0], numbers[1]))
            if len(numbers) == 2:
                rules[tag] = Rule(tag, EXACT, code, action)
            else:
                groups.append(Rule(tag, numbers[2] << 16 | numbers[3], code, action))
    return Table(rules, tuple(groups))


def is_known(tag: int) -> bool:
    """Whether the data dictionary knows an attribute."""
    try:
        dictionary_VR(tag)
    except KeyError:
        return False
    return True


def _name(tag: BaseTag) -> str:
    return dictionary_description(tag) if is_known(tag) else "of a newer edition than the dictionary"
