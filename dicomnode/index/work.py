"""What a person asks of the work, and what a person changes in it: retry, cancel, pause."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select, true
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.schema import DeliveryRow, PauseRow, RefusalRow, ResultRow, RunRow, StudyRow
from dicomnode.values import DeliveryStatus, RunStatus


@dataclass(frozen=True)
class ListedRun:
    """One line of a list of runs."""

    run: RunRow
    study_uid: str
    delivered: int
    to_deliver: int


def list_runs(session: Session, status: str, study_uid: str, limit: int) -> list[ListedRun]:
    """Runs, newest first, without those of candidates in the shadow; empty text admits all."""
    query = select(RunRow, StudyRow.study_uid).join(StudyRow, StudyRow.study_key == RunRow.study_key)
    query = query.where(RunRow.shadow.is_(False))
    query = query.order_by(RunRow.created_s.desc()).limit(limit)
    query = query.where(RunRow.status == status) if status else query
    query = query.where(StudyRow.study_uid == study_uid) if study_uid else query
    return [ListedRun(run, uid, *_deliveries(session, run.run_key)) for run, uid in session.execute(query)]


def run_by_prefix(session: Session, prefix: str) -> RunRow:
    """The run whose key begins so.

    Raises:
        ConfigFault: none, or more than one.
    """
    found = session.scalars(select(RunRow).where(RunRow.run_key.startswith(prefix, autoescape=True)).limit(2)).all()
    if len(found) != 1:
        raise ConfigFault(
            f"{'no run begins' if not found else 'more than one run begins'} with {prefix!r}: `dicomnode runs`"
        )
    return found[0]


def retry_run(session: Session, row: RunRow) -> str:
    """Queue a parked or cancelled run again, or the parked deliveries of one that is on its way; says which.

    Raises:
        ConfigFault: nothing of it waits for a person.
    """
    name = row.run_key[:12]
    if row.status in (RunStatus.PARKED, RunStatus.CANCELLED):
        row.attempt, row.status, row.reason, row.finished_s = row.attempt + 1, RunStatus.QUEUED, "", None
        return f"run {name} is queued again"
    mine = select(ResultRow.sop_instance_uid).where(ResultRow.run_key == row.run_key)
    count = _queue_parked(session, DeliveryRow.sop_instance_uid.in_(mine))
    if not count:
        raise ConfigFault(f"run {name} is {row.status}: only a parked or cancelled run is retried")
    return f"{count} result(s) of run {name} are queued again"


def retry_deliveries(session: Session, destination: str) -> int:
    """Queue every parked delivery to one destination again ("" for all); how many."""
    return _queue_parked(session, DeliveryRow.destination == destination if destination else true())


def retry_study(session: Session, study_uid: str) -> None:
    """Decide on a study again, as if its last instance had just arrived.

    Raises:
        ConfigFault: no such study, or it is held because of its identity.
    """
    row = session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid)).first()
    if row is None:
        raise ConfigFault(f"no study {study_uid} has reached this node")
    if row.state == "held":
        raise ConfigFault(
            f"study {study_uid} is held ({row.reason}): settle its identity first, `dicomnode studies --help`"
        )
    row.state, row.reason, row.decided_digest = "receiving", "", ""


def cancel_run(row: RunRow) -> None:
    """Stop a run before it posts; what is in the outbox is still delivered.

    Raises:
        ConfigFault: its results are on their way or it has ended.
    """
    if row.status not in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PARKED):
        raise ConfigFault(f"run {row.run_key[:12]} is {row.status}: there is nothing left to cancel")
    row.status, row.reason, row.finished_s = RunStatus.CANCELLED, "cancelled by a person", time.time()


def dismiss_deliveries(session: Session, row: RunRow) -> int:
    """Close the parked deliveries of a run, which a person has settled by hand; how many.

    Raises:
        ConfigFault: none is parked.
    """
    mine = select(ResultRow.sop_instance_uid).where(ResultRow.run_key == row.run_key)
    parked = session.scalars(
        select(DeliveryRow).where(DeliveryRow.status == DeliveryStatus.PARKED, DeliveryRow.sop_instance_uid.in_(mine))
    ).all()
    if not parked:
        raise ConfigFault(f"no result of run {row.run_key[:12]} is parked: `dicomnode status`")
    for delivery in parked:
        delivery.status, delivery.reason = DeliveryStatus.WITHDRAWN, "settled by a person"
    return len(parked)


def pause(session: Session, scope: str, by: str) -> None:
    """Pause "all", "model:NAME" or "destination:NAME"."""
    session.merge(PauseRow(scope=scope, since_s=time.time(), by=by))


def resume(session: Session, scope: str) -> bool:
    """End a pause; False where there was none."""
    ended: int = session.execute(delete(PauseRow).where(PauseRow.scope == scope)).rowcount  # type: ignore[attr-defined]
    return ended > 0


def unwell(session: Session, limit: int) -> tuple[Sequence[StudyRow], Sequence[RunRow], Sequence[DeliveryRow]]:
    """Studies, runs and deliveries that wait for a person."""
    studies = select(StudyRow).where(StudyRow.state.in_(("held", "parked"))).order_by(StudyRow.last_received_s.desc())
    runs = select(RunRow).where(RunRow.status == RunStatus.PARKED).order_by(RunRow.created_s.desc())
    parked = select(DeliveryRow).where(DeliveryRow.status == DeliveryStatus.PARKED)
    return (
        session.scalars(studies.limit(limit)).all(),
        session.scalars(runs.limit(limit)).all(),
        session.scalars(parked.limit(limit)).all(),
    )


def last_refusals(session: Session, limit: int) -> Sequence[RefusalRow]:
    """What was refused lately, newest first."""
    return session.scalars(select(RefusalRow).order_by(RefusalRow.at_s.desc()).limit(limit)).all()


def _deliveries(session: Session, run_key: str) -> tuple[int, int]:
    statuses = session.scalars(
        select(DeliveryRow.status)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .where(ResultRow.run_key == run_key)
    ).all()
    done = sum(status in (DeliveryStatus.COMMITTED, DeliveryStatus.STORED) for status in statuses)
    return done, len(statuses)


def _queue_parked(session: Session, which: ColumnElement[bool]) -> int:
    rows = session.scalars(select(DeliveryRow).where(DeliveryRow.status == DeliveryStatus.PARKED, which)).all()
    for row in rows:
        row.status, row.queued_s, row.requested_s = DeliveryStatus.QUEUED, time.time(), None
    return len(rows)
