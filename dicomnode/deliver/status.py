"""How far the deliveries are: runs that are done, and results that a destination does not take."""

import time
from dataclasses import dataclass

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from dicomnode.deliver.commitment import NO_REPORT
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow
from dicomnode.values import DeliveryStatus, RunStatus

CLOSED = (DeliveryStatus.COMMITTED, DeliveryStatus.STORED, DeliveryStatus.WITHDRAWN)
"""Nothing more is to be done for a delivery."""


@dataclass(frozen=True)
class HeldUp:
    """Results that one destination did not take, or did not confirm, and that it is tried again for."""

    destination: str
    results: int
    oldest_s: float
    """Seconds that the oldest of them has waited."""
    reason: str
    """What the destination last answered to that one, in words."""

    def __str__(self) -> str:
        waited = duration(self.oldest_s)
        return f"{self.results} result(s) wait for {self.destination}, the oldest for {waited}: {self.reason}"


def close_runs(index: Index) -> tuple[str, ...]:
    """Mark as done every run whose results are all stored, and committed where the destination commits.

    Returns:
        Their keys.
    """
    with index.transaction() as session:
        rows = session.scalars(_finished()).all()
        for row in rows:
            row.status, row.finished_s = RunStatus.DONE, time.time()
    return tuple(row.run_key for row in rows)


def held_up(session: Session, now_s: float) -> tuple[HeldUp, ...]:
    """What waits at each destination after an attempt that came to nothing; the longest wait first."""
    unsent = DeliveryRow.status == DeliveryStatus.QUEUED
    unasked = and_(DeliveryRow.status == DeliveryStatus.SENT, DeliveryRow.requested_s.is_(None))
    unreported = and_(DeliveryRow.status == DeliveryStatus.SENT, DeliveryRow.reason == NO_REPORT)
    query = (
        select(DeliveryRow.destination, DeliveryRow.queued_s, DeliveryRow.reason)
        .where(or_(unsent, unasked, unreported), DeliveryRow.reason != "")
        .order_by(DeliveryRow.queued_s)
    )
    found: dict[str, HeldUp] = {}
    for name, queued_s, reason in session.execute(query):
        first = found.get(name) or HeldUp(name, 0, max(0.0, now_s - queued_s), reason)
        found[name] = HeldUp(name, first.results + 1, first.oldest_s, first.reason)
    return tuple(found.values())


def duration(seconds: float) -> str:
    """A time as a person says it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _finished() -> Select[RunRow]:
    waiting = (
        select(DeliveryRow.delivery_key)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .where(ResultRow.run_key == RunRow.run_key, DeliveryRow.status.not_in(CLOSED))
    )
    return select(RunRow).where(RunRow.status == RunStatus.DELIVERING, ~waiting.exists())
