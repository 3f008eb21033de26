"""Whether a study is complete: quiet, or counted equal at the PACS twice, or at its cap.

A series of which the PACS holds more than we do (a transfer that broke) is not quiet: it is waited for until the cap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dicomnode.config.tables import Complete


class Ready(StrEnum):
    """Why a study goes on, or that it waits."""

    WAIT = "wait"
    QUIET = "quiet"
    """No new instance for quiet_s."""
    COUNTED = "counted"
    """The PACS holds what we hold, on two queries settle_s apart."""
    CAP = "cap"
    """Waited for cap_s."""


@dataclass(frozen=True)
class Waiting:
    """What the index says of a study that is not decided yet. Times in seconds since 1970."""

    study_key: int
    study_uid: str
    since_s: float
    """First arrival, or the last decision if that is later."""
    last_received_s: float
    settled_received_s: float | None
    """`last_received_s` at the first of two equal counts."""
    settled_s: float | None
    """When that count was made."""


def readiness(waiting: Waiting, settings: Complete, now_s: float) -> Ready:
    """Decide from times alone; counts at the PACS only ever make it earlier."""
    if now_s - waiting.since_s >= settings.cap_s:
        return Ready.CAP
    return Ready.QUIET if now_s - waiting.last_received_s >= settings.quiet_s else Ready.WAIT


def settled(waiting: Waiting) -> bool:
    """Whether a first equal count stands: nothing was received since."""
    return waiting.settled_s is not None and waiting.settled_received_s == waiting.last_received_s


def count_due(waiting: Waiting, settings: Complete, now_s: float) -> bool:
    """Whether to ask the PACS: for a first count at once, for the second settle_s after the first."""
    return not settled(waiting) or now_s - (waiting.settled_s or now_s) >= settings.settle_s


def counts_agree(here: Mapping[str, int], there: Mapping[str, int], needed: frozenset[str] | None) -> bool:
    """Whether we hold as many instances of every needed series as the PACS says it does.

    Args:
        here: instances we hold, by series UID, our own results left out.
        there: Number of Series Related Instances (0020,1209) by series UID, our own results left out.
        needed: series UIDs that count; None for every series of the PACS.
    """
    wanted = frozenset(there) if needed is None else needed
    return bool(wanted) and all(here.get(uid, 0) == there.get(uid, -1) for uid in wanted)


def is_half_here(here: Mapping[str, int], there: Mapping[str, int], needed: frozenset[str] | None) -> bool:
    """Whether a needed series has begun to arrive, and the PACS holds more of it: it is waited for until the cap."""
    wanted = frozenset(there) if needed is None else needed
    return any(0 < here.get(uid, 0) < there.get(uid, 0) for uid in wanted)
