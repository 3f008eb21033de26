"""Results that must be withdrawn: sent, and made of images that the PACS has since rejected or corrected."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dicomnode.index.schema import DeliveryRow, InstanceRow, RejectionRow, ResultRow, RunInstanceRow, RunRow, StudyRow
from dicomnode.values import DeliveryStatus, Role

THERE = (DeliveryStatus.SENT, DeliveryStatus.COMMITTED, DeliveryStatus.STORED)
"""The destination has the result."""
QUALITY = "113001"
"""Rejected for Quality Reasons (DCM): what we say where the PACS gave no reason of its own."""


@dataclass(frozen=True)
class Withdrawal:
    """Results of one run that a destination must no longer show."""

    run_key: str
    study_uid: str
    code: str
    """Why, as the PACS said it of the images (CID 7011)."""
    results: tuple[str, ...]
    """SOP Instance UIDs of all of them."""
    destinations: tuple[str, ...]
    """Those that have one, or may: an answer can be lost."""


def runs_to_withdraw(session: Session, since_s: float) -> Sequence[str]:
    """Runs with posted results whose images are no longer current, in studies that changed since then."""
    replaced = (
        select(RunInstanceRow.run_key)
        .join(InstanceRow, InstanceRow.instance_key == RunInstanceRow.instance_key)
        .where(RunInstanceRow.run_key == RunRow.run_key, InstanceRow.current.is_(False))
    )
    posted = (
        select(DeliveryRow.delivery_key)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .where(ResultRow.run_key == RunRow.run_key)
    )
    query = (
        select(RunRow.run_key)
        .join(StudyRow, StudyRow.study_key == RunRow.study_key)
        .where(StudyRow.last_received_s >= since_s, RunRow.withdrawn_s.is_(None), replaced.exists(), posted.exists())
    )
    return session.scalars(query).all()


def withdrawal_of(session: Session, run_key: str) -> Withdrawal:
    """What is to be withdrawn of a run."""
    run = session.get_one(RunRow, run_key)
    study_uid = session.get_one(StudyRow, run.study_key).study_uid
    rows = session.scalars(
        select(DeliveryRow)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .where(ResultRow.run_key == run_key, ResultRow.role != Role.REJECTION)
        .order_by(DeliveryRow.delivery_key)
    ).all()
    code = session.scalar(
        select(RejectionRow.code)
        .where(RejectionRow.study_key == run.study_key, RejectionRow.instances > 0)
        .order_by(RejectionRow.at_s.desc())
        .limit(1)
    )
    results = tuple(dict.fromkeys(row.sop_instance_uid for row in rows))
    destinations = tuple(dict.fromkeys(row.destination for row in rows if row.status in THERE or row.attempts))
    return Withdrawal(run_key, study_uid, code or QUALITY, results, destinations)


def mark_withdrawn(session: Session, run_key: str, reason: str) -> None:
    """Nothing more is done for the run's results: what was not sent stays, what was sent needs no commitment."""
    run = session.get_one(RunRow, run_key)
    run.withdrawn_s, run.reason = time.time(), reason
    mine = select(ResultRow.sop_instance_uid).where(ResultRow.run_key == run_key, ResultRow.role != Role.REJECTION)
    session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.sop_instance_uid.in_(mine),
            DeliveryRow.status.in_((DeliveryStatus.QUEUED, DeliveryStatus.SENT, DeliveryStatus.PARKED)),
        )
        .values(status=DeliveryStatus.WITHDRAWN, reason=reason)
        .execution_options(synchronize_session=False)
    )
