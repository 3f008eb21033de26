"""Where each result stands at each destination, and how it moves on.

QUEUED → SENT → COMMITTED        a destination that commits
QUEUED → STORED                  one that does not (peers.NAME.commitment = false)
SENT → QUEUED                    the peer did not commit it: it is sent again after a while
QUEUED, SENT → PARKED → QUEUED   a person must act, and then asks for another try
"""

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.deliver.fallback import fallback_uid
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow
from dicomnode.values import DeliveryStatus

DELIVERED = frozenset({DeliveryStatus.SENT, DeliveryStatus.COMMITTED, DeliveryStatus.STORED})
"""The destination has it."""


def delivery(session: Session, sop_instance_uid: str, destination: str, *, lock: bool = False) -> DeliveryRow | None:
    """The row of one result at one destination; `lock`: nobody else changes it before this transaction ends."""
    query = select(DeliveryRow).where(
        DeliveryRow.sop_instance_uid == sop_instance_uid, DeliveryRow.destination == destination
    )
    return session.scalar(query.with_for_update() if lock else query)


def note_stored(index: Index, sop_instance_uid: str, destination: str, status: DeliveryStatus, remark: str) -> None:
    """Note that a destination answered that it stored a result; a new commitment request is due.

    One that was withdrawn while it was on its way stays so.
    """
    with index.transaction() as session:
        row = _require(session, sop_instance_uid, destination)
        row.sent_s = time.time()
        if row.status != DeliveryStatus.WITHDRAWN:
            row.status, row.reason, row.requested_s = status, remark, None


def note_failure(index: Index, sop_instance_uid: str, destination: str, reason: str) -> None:
    """Note why an attempt came to nothing; the result stays queued."""
    with index.transaction() as session:
        row = _require(session, sop_instance_uid, destination)
        if row.status != DeliveryStatus.WITHDRAWN:
            row.reason = reason


def park(index: Index, sop_instance_uid: str, destination: str, reason: str) -> None:
    """Give up until a person acts; what the destination has stays as it is."""
    with index.transaction() as session:
        row = _require(session, sop_instance_uid, destination)
        if row.status not in (DeliveryStatus.COMMITTED, DeliveryStatus.STORED, DeliveryStatus.WITHDRAWN):
            row.status, row.reason = DeliveryStatus.PARKED, reason


def _require(session: Session, sop_instance_uid: str, destination: str) -> DeliveryRow:
    """The row of a result, or of its fallback where the destination was given that instead."""
    row = delivery(session, sop_instance_uid, destination, lock=True)
    row = row or delivery(session, fallback_uid(sop_instance_uid), destination, lock=True)
    if row is None:
        raise LookupError(f"result {sop_instance_uid} was never posted for {destination}")
    return row
