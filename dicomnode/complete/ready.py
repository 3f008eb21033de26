"""Whether a study is complete: quiet, or counted equal at the PACS twice, or at its cap."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dicomnode.config.tables import Complete


class Ready(StrEnum):
    """Why a study goes on, or that it waits."""

    WAIT = "wait"
    QUIET = "quiet"
    """No new instance for quiet_s, and no required series is missing."""
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
    """First arrival since the last decision."""
    last_received_s: float
    digest: str
    """Digest of the current contents."""
    settled_digest: str
    """Digest at the first of two equal counts."""
    settled_s: float | None


def readiness(waiting: Waiting, missing: tuple[str, ...], settings: Complete, now_s: float) -> Ready:
    """Decide from times alone; counts at the PACS only ever make it earlier.

    Args:
        waiting: the study.
        missing: required series that have not arrived, in words.
        settings: the [complete] table.
        now_s: seconds since 1970.
    """
    if not missing and counted_twice(waiting, settings, now_s):
        return Ready.COUNTED
    if not missing and now_s - waiting.last_received_s >= settings.quiet_s:
        return Ready.QUIET
    return Ready.CAP if now_s - waiting.since_s >= settings.cap_s else Ready.WAIT


def counted_twice(waiting: Waiting, settings: Complete, now_s: float) -> bool:
    """Whether two equal counts lie settle_s apart with nothing received between."""
    return (
        waiting.settled_s is not None
        and waiting.settled_digest == waiting.digest
        and now_s - waiting.settled_s >= settings.settle_s
        and waiting.last_received_s <= waiting.settled_s
    )


def counts_agree(here: Mapping[str, int], there: Mapping[str, int], needed: frozenset[str] | None) -> bool:
    """Whether we hold as many instances of every needed series as the PACS says it does.

    Args:
        here: instances we hold, by series UID, our own results left out.
        there: Number of Series Related Instances (0020,1209) by series UID, our own results left out.
        needed: series UIDs that count; None for every series of the PACS.
    """
    wanted = frozenset(there) if needed is None else needed
    return bool(wanted) and all(here.get(uid, 0) == there.get(uid, -1) for uid in wanted)
