"""What a check found."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but a person should know."""
    FAULT = "fault"
    """Studies will be refused, parked or not delivered until this is fixed."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    part: str
    """"disk", "peer pacs", "model hippocampus_mr" ..."""
    level: Level
    says: str
    """What is so, in one sentence."""
    fix: str = ""
    """What to do; empty where nothing is to be done."""

    def as_dict(self) -> dict[str, str]:
        """For scripts."""
        return asdict(self)


def ok(part: str, says: str) -> Finding:
    """Nothing to do."""
    return Finding(part, Level.OK, says)


def warning(part: str, says: str, fix: str) -> Finding:
    """Works, but a person should know."""
    return Finding(part, Level.WARNING, says, fix)


def fault(part: str, says: str, fix: str) -> Finding:
    """Does not work."""
    return Finding(part, Level.FAULT, says, fix)


def worst(findings: list[Finding]) -> Level:
    """The worst level found."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAULT, Level.WARNING) if level in levels), Level.OK)
