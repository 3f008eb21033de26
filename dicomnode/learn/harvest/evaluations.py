"""What a reader's report says of findings, after the table below.

| in the report | says |
|---|---|
| a yes-or-no value (Present, Absent, Yes, No, Positive, Negative, undetermined ...) beside a concept that means an output: in a measurement group, in Qualitative Evaluations, anywhere in the content | that value |
| such a value beside a concept that asks for presence or agreement, in a measurement group | that value, of the group's finding: ours by tracking UID, else by its code |
| False positive, Discarded, Agreement or Disagreement with prior findings, in a measurement group | the same |
| a group of ours whose outline was changed | present: corrected |
| a group of ours, unchanged, in a report that a person verified | what we said of it: accepted |
| a group of ours, unchanged, in a report that nobody verified | nothing: a viewer passes on what it was shown |
| a new group whose finding means an output | what the concept means where it is merely named |
| a concept that means an output, as a Finding, Impression, Conclusion or Diagnosis elsewhere | the same |
| anything under History, Previous Findings, Indications and the like, or on images of another study alone | nothing of this study |
| a finding of ours that is missing | nothing: left out is not rejected |

Of several statements on one output in one report, one that is present makes it present; then uncertain; then absent.
"""  # noqa: E501 - rows of a table

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from dicomnode.encode.door.items import code_text, concept, groups, tracking_of, tree
from dicomnode.learn.harvest.meanings import Meanings, Meant, plain_code
from dicomnode.learn.harvest.reader_report import FINDING, Group, Match, Report, outline_differs
from dicomnode.learn.harvest.sides import of_side, sides_said
from dicomnode.learn.harvest.this_study import is_of_this_study, items_of_this_study

YES = frozenset((
    "52101004/SCT", "121053/DCM", "373066001/SCT", "10828004/SCT", "410515003/SCT", "122775/DCM",
))  # fmt: skip
"""Present (two schemes), Yes, Positive, Known present, Agreement with prior findings."""
NO = frozenset((
    "272519000/SCT", "2667000/SCT", "121054/DCM", "373067005/SCT", "260385009/SCT", "410516002/SCT", "122776/DCM",
    "111458/DCM", "122748/DCM",
))  # fmt: skip
"""Absent (two of SNOMED, one of DICOM), No, Negative, Known absent, Disagreement with prior findings, Discarded, False
positive."""
UNSURE = frozenset((
    "373068000/SCT", "121059/DCM", "42425007/SCT", "82334004/SCT", "280416009/SCT", "371930009/SCT", "2931005/SCT",
))  # fmt: skip
"""Undetermined, Presence undetermined, Equivocal, Indeterminate (two), Possible, Probable."""
ON_THE_WHOLE = frozenset(("122775/DCM", "122776/DCM", "111458/DCM", "122748/DCM"))
"""Of these, the ones that speak of a finding whatever concept they stand beside."""
PRESENCE = frozenset(("121052/DCM", "705057003/SCT", "121059/DCM", "121071/DCM"))
"""Concepts that ask whether a finding is there: Presence of property, Presence, Presence undetermined (older viewers),
Finding."""
PRESENCE_WORDS = frozenset((
    "presence", "presence of finding", "present", "accepted", "agree", "agreement", "confirmed", "correct",
    "assessment",
))  # fmt: skip
"""Meanings of a site's own concepts that ask the same."""
NAMING = frozenset((
    "121071/DCM", "121073/DCM", "121077/DCM", "439401001/SCT", "282291009/SCT", "121059/DCM",
))  # fmt: skip
"""Finding, Impression, Conclusion, Diagnosis (two)."""
OURS_KEPT = "as we said it, verified by a person"


@dataclass(frozen=True)
class Statement:
    """What one report says of one output."""

    model: str
    output: int
    value: float | None
    tracking_uid: str
    rule: str


@dataclass(frozen=True)
class Compared:
    """A measurement group of a reader's report, beside ours."""

    item: Dataset
    group: Group
    match: Match
    ours: Dataset | None
    """The group of ours that it is about."""


def statements(
    document: Dataset, compared: Sequence[Compared], meanings: Meanings, elsewhere: frozenset[str] = frozenset()
) -> list[Statement]:
    """What a reader's report says of its study, one statement for each output.

    Args:
        document: the report.
        compared: its measurement groups.
        meanings: of codes and words at this site.
        elsewhere: SOP Instance UIDs of other studies.
    """
    verified = str(document.get("VerificationFlag", "")) == "VERIFIED"
    here = [found for found in compared if is_of_this_study(found.item, elsewhere)]
    said = [one for found in here for one in _of_group(found, meanings, verified=verified)]
    within = {id(item) for found in compared for _, item in tree(found.item)} | {id(one.item) for one in compared}
    outside = [item for item in items_of_this_study(document, elsewhere) if id(item) not in within]
    said += [one for item in outside for one in _of_item(item, meanings, "", sides_said(item))]
    return _one_for_each(said)


def compare(document: Dataset, report: Report, matches: Iterable[Match], ours: Iterable[Dataset]) -> list[Compared]:
    """The measurement groups of a report with those of ours that they are about."""
    known = {tracking_of(item)[1]: item for one in ours for item in groups(one)}
    paired = zip(groups(document), report.groups, matches, strict=True)
    return [
        Compared(item, group, match, known.get(match.ours.tracking_uid) if match.ours else None)
        for item, group, match in paired
    ]


def verdict_of(code: str) -> tuple[bool, float | None]:
    """Whether a code is a yes-or-no value, and which: 1, 0, or None where it is unsure."""
    plain = plain_code(code)
    return plain in YES | NO | UNSURE, 1.0 if plain in YES else 0.0 if plain in NO else None


def _of_group(found: Compared, meanings: Meanings, *, verified: bool) -> Iterator[Statement]:
    coded = [item for _, item in tree(found.item) if item.get("ValueType") == "CODE"]
    apart = [item for item in coded if concept(item) not in FINDING]
    sides = sides_said(found.item)
    named = [one for item in apart for one in _of_item(item, meanings, _tracking(found), sides)]
    verdicts = [item for item in coded if _judges(item)]
    if found.ours is not None and _passed_on(found):
        if verified:
            yield from _about(found, meanings, verdicts, OURS_KEPT)
        return
    yield from named
    if verdicts:
        yield from _about(found, meanings, verdicts, "evaluated")
    elif not named and found.ours is not None:
        yield from (_statement(one, 1.0, found, "outline corrected") for one in _meant(found, meanings))
    elif not named:
        yield from (_statement(one, _merely(one), found, "drawn or named") for one in _meant(found, meanings))


def _about(found: Compared, meanings: Meanings, verdicts: Sequence[Dataset], rule: str) -> Iterator[Statement]:
    """The group's own evaluations, of its finding; without one, the finding is there."""
    values = [verdict_of(code_text(item, "ConceptCodeSequence"))[1] for item in verdicts] or [1.0]
    yield from (_statement(one, _strongest(values), found, rule) for one in _meant(found, meanings))


def _meant(found: Compared, meanings: Meanings) -> list[Meant]:
    """Outputs that the group's finding means, on the side that it tells."""
    code = found.match.ours.code if found.match.ours and found.match.ours.code else found.group.code
    meant = (meanings.of_code(code) if code else []) or meanings.of_words(found.group.tracking_id)
    return of_side(meant, sides_said(found.item))


def _of_item(item: Dataset, meanings: Meanings, tracking: str, sides: frozenset[str]) -> Iterator[Statement]:
    """A coded item that says something by itself."""
    if item.get("ValueType") != "CODE":
        return
    value = code_text(item, "ConceptCodeSequence")
    if _is_verdict(item):
        verdict = verdict_of(value)[1]
        for one in of_side(meanings.of_code(concept(item)) or meanings.of_words(_name(item)), sides):
            yield Statement(one.model, one.output, verdict, tracking, f"{concept(item)} = {value}; {one.rule}")
        return
    for one in of_side(meanings.of_code(value), sides) if concept(item) in NAMING else ():
        yield Statement(one.model, one.output, _merely(one), tracking, f"{value} named; {one.rule}")


def _is_verdict(item: Dataset) -> bool:
    return verdict_of(code_text(item, "ConceptCodeSequence"))[0]


def _judges(item: Dataset) -> bool:
    """Whether an item of a group says if the group's finding is there: "Calcification: absent" does not."""
    asks = plain_code(concept(item)) in PRESENCE or _name(item).strip().casefold() in PRESENCE_WORDS
    value = plain_code(code_text(item, "ConceptCodeSequence"))
    return value in ON_THE_WHOLE or (asks and _is_verdict(item))


def _passed_on(found: Compared) -> bool:
    """Whether a group is still as we sent it: evaluations and outline."""
    if found.match.ours is None or found.ours is None:
        return False
    drawn = found.group.outline and outline_differs(found.group.outline, found.match.ours.outline)
    return not drawn and set(_evaluated(found.item)) <= set(_evaluated(found.ours))


def _evaluated(group: Dataset) -> Iterator[tuple[str, str]]:
    for _, item in tree(group):
        if item.get("ValueType") == "CODE" and concept(item) not in FINDING:
            yield plain_code(concept(item)), plain_code(code_text(item, "ConceptCodeSequence"))


def _statement(meant: Meant, value: float | None, found: Compared, rule: str) -> Statement:
    return Statement(meant.model, meant.output, value, _tracking(found), f"{rule}; {meant.rule}")


def _tracking(found: Compared) -> str:
    return found.match.ours.tracking_uid if found.match.ours else found.group.tracking_uid


def _merely(meant: Meant) -> float:
    return 1.0 if meant.present else 0.0


def _strongest(values: Iterable[float | None]) -> float | None:
    """Present beats uncertain, uncertain beats absent."""
    return max(values, key=lambda value: 0.5 if value is None else value)


def _one_for_each(said: Sequence[Statement]) -> list[Statement]:
    by_output: dict[tuple[str, int], list[Statement]] = {}
    for one in said:
        by_output.setdefault((one.model, one.output), []).append(one)
    return [max(many, key=lambda one: 0.5 if one.value is None else one.value) for many in by_output.values()]


def _name(item: Dataset) -> str:
    codes = item.get("ConceptNameCodeSequence")
    return str(codes[0].get("CodeMeaning", "")) if codes else ""
