"""How far the deliveries are: runs that are done, and what a person asks of each destination."""

import time
from dataclasses import dataclass

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow
from dicomnode.values import DeliveryStatus, RunStatus

CLOSED = (DeliveryStatus.COMMITTED, DeliveryStatus.STORED)
"""Nothing more is to be done for a delivery."""
OPEN = (DeliveryStatus.QUEUED, DeliveryStatus.SENT, DeliveryStatus.PARKED)


@dataclass(frozen=True)
class DestinationStatus:
    """What is on its way to one destination, in numbers of results."""

    destination: str
    queued: int
    sent: int
    """Stored there; the commitment is awaited."""
    committed: int
    stored: int
    parked: int
    oldest_s: float | None
    """Seconds that the oldest result that is not closed has waited; None where nothing waits."""


@dataclass(frozen=True)
class OpenDelivery:
    """One result that is not where it belongs yet."""

    sop_instance_uid: str
    run_key: str
    destination: str
    status: DeliveryStatus
    attempts: int
    reason: str
    waited_s: float


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


def destinations(session: Session, now_s: float) -> tuple[DestinationStatus, ...]:
    """Every destination that a result was ever queued for, by name."""
    counts = [func.sum(case((DeliveryRow.status == status, 1), else_=0)) for status in DeliveryStatus]
    oldest = func.min(case((DeliveryRow.status.in_(OPEN), DeliveryRow.queued_s)))
    query = select(DeliveryRow.destination, *counts, oldest).group_by(DeliveryRow.destination)
    found = []
    for name, *numbers, first_s in session.execute(query.order_by(DeliveryRow.destination)):
        by_status = {str(status): int(number) for status, number in zip(DeliveryStatus, numbers, strict=True)}
        found.append(
            DestinationStatus(name, **by_status, oldest_s=None if first_s is None else max(0.0, now_s - first_s))
        )
    return tuple(found)


def open_deliveries(session: Session, now_s: float, destination: str | None = None) -> tuple[OpenDelivery, ...]:
    """Deliveries that are not closed, parked ones first, then the oldest."""
    parked_first = case((DeliveryRow.status == DeliveryStatus.PARKED, 0), else_=1)
    query = (
        select(DeliveryRow, ResultRow.run_key)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .where(DeliveryRow.status.in_(OPEN))
        .order_by(parked_first, DeliveryRow.queued_s)
    )
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    return tuple(_open(row, run_key, now_s) for row, run_key in session.execute(query))


def _finished() -> Select[RunRow]:
    waiting = (
        select(DeliveryRow.delivery_key)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .where(ResultRow.run_key == RunRow.run_key, DeliveryRow.status.not_in(CLOSED))
    )
    return select(RunRow).where(RunRow.status == RunStatus.DELIVERING, ~waiting.exists())


def _open(row: DeliveryRow, run_key: str, now_s: float) -> OpenDelivery:
    return OpenDelivery(
        sop_instance_uid=row.sop_instance_uid,
        run_key=run_key,
        destination=row.destination,
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        reason=row.reason,
        waited_s=max(0.0, now_s - row.queued_s),
    )
