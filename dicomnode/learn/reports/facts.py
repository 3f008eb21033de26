"""What a labeler is, and what it says of a report: findings, each with the place in the text that it rests on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Status(StrEnum):
    """What a report says of a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    """It says so; a finding that is not mentioned is not absent."""
    UNCERTAIN = "uncertain"
    UNMENTIONED = "unmentioned"


@dataclass(frozen=True)
class Span:
    """A place in a text: characters from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Fact:
    """What one report says of one finding."""

    finding: str
    status: Status
    evidence: tuple[Span, ...] = ()
    """The mentions that decided; offsets alone, since the words of a report are about a patient."""


class Labeler(Protocol):
    """What reads findings from report text. A plug-in of entry-point group `dicomnode.labelers` is one of these."""

    @property
    def labeler_id(self) -> str:
        """Its name."""

    @property
    def version(self) -> str:
        """Changes whenever the same text may get another answer."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of all findings that it knows."""

    def reads(self, text: str) -> bool:
        """Whether the text is in a language that it was made for."""

    def facts(self, text: str) -> tuple[Fact, ...]:
        """What the text says of each finding, those that it does not mention included."""


def name_of(labeler: Labeler) -> str:
    """Id and version, as labels and measurements carry them."""
    return f"{labeler.labeler_id} {labeler.version}"
