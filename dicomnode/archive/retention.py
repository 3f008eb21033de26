"""Remove studies that have stayed long enough, or that must make room.

A study stays while one of its runs is under way, one of its results is not yet stored and committed, or a
training set uses one of its instances; one that waits for a person goes by age alone. Its row and its runs stay
for good, so that nothing is done twice.

The folder is renamed within the transaction that forgets its rows, so that an instance which arrives in that
moment is either removed before its sender is told Success, or kept. A crash in between is made good at the
next start.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import ColumnElement, Select, delete, exists, select
from sqlalchemy.orm import Session

from dicomnode.archive.files import STUDIES, sync_folder
from dicomnode.audit import AuditTrail
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.schema import (
    CommitmentDutyRow,
    DeliveryRow,
    InstanceRow,
    RefusalRow,
    ResultRow,
    RunRow,
    SeriesRow,
    StudyRow,
    TrainingMemberRow,
)
from dicomnode.values import DeliveryStatus, RunStatus

DAY_S = 86400.0
RETIRED = ".retired-"
NOTES_DAYS = 90.0
"""Refusals and answered commitment requests are forgotten after so long."""
UNDER_WAY = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.DELIVERING)
DELIVERED = (DeliveryStatus.COMMITTED, DeliveryStatus.STORED)

log = structlog.get_logger()


@dataclass(frozen=True)
class Retired:
    """One study that was removed."""

    study_uid: str
    reason: str


def retire(index: Index, config: Config, now: float) -> list[Retired]:
    """Remove what is old, and then the oldest while too little disk is free; what was removed."""
    state = config.node.state
    recover(index, state)
    _forget_notes(index, now)
    old = StudyRow.last_received_s < now - config.storage.keep_days * DAY_S
    retired = [
        Retired(uid, f"older than {config.storage.keep_days:g} days")
        for key, uid in _candidates(index, old)
        if _retire_one(index, state, key, old, "kept long enough")
    ]
    settled = StudyRow.state.in_(("decided", "retired")) & ~exists().where(
        RunRow.study_key == StudyRow.study_key, RunRow.status == RunStatus.PARKED
    )
    for key, uid in _candidates(index, settled):
        if shutil.disk_usage(state).free >= config.storage.keep_free_bytes:
            break
        if _retire_one(index, state, key, settled, "made room on the disk"):
            retired.append(Retired(uid, "too little free disk"))
    _tell(config, retired)
    return retired


def recover(index: Index, state: Path) -> None:
    """Finish what a crash interrupted: folders of forgotten studies go, those of studies still known come back."""
    for folder in sorted((state / STUDIES).glob(f"{RETIRED}*")):
        with index.transaction() as session:
            study_uid = folder.name.removeprefix(RETIRED)
            row = session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid).with_for_update()).first()
            if row is not None and _has_instances(session, row.study_key):
                _bring_back(folder, state / STUDIES / study_uid)
                continue
        shutil.rmtree(folder)


def is_needed(session: Session, study_key: int) -> bool:
    """Whether a study must stay, whatever its age."""
    under_way = exists().where(RunRow.study_key == study_key, RunRow.status.in_(UNDER_WAY))
    uncommitted = exists(
        select(DeliveryRow.delivery_key)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .join(RunRow, RunRow.run_key == ResultRow.run_key)
        .where(RunRow.study_key == study_key, DeliveryRow.status.not_in(DELIVERED))
    )
    learnt_from = exists(
        select(TrainingMemberRow.instance_key)
        .join(InstanceRow, InstanceRow.instance_key == TrainingMemberRow.instance_key)
        .where(InstanceRow.study_key == study_key)
    )
    return bool(session.scalar(select(under_way | uncommitted | learnt_from)))


def _candidates(index: Index, which: ColumnElement[bool]) -> list[tuple[int, str]]:
    """Keys and UIDs of studies that hold instances, oldest arrival first."""
    query: Select[int, str] = (
        select(StudyRow.study_key, StudyRow.study_uid)
        .where(which, exists().where(InstanceRow.study_key == StudyRow.study_key))
        .order_by(StudyRow.last_received_s)
    )
    with index.snapshot() as session:
        return [(key, uid) for key, uid in session.execute(query)]


def _retire_one(index: Index, state: Path, study_key: int, which: ColumnElement[bool], reason: str) -> bool:
    """Remove a study that is still one of `which`: since it became a candidate, images of it may have come."""
    with index.transaction() as session:
        query = select(StudyRow).where(which, StudyRow.study_key == study_key).with_for_update()
        row = session.scalars(query).first()
        if row is None or is_needed(session, study_key):
            return False
        folder = state / STUDIES / row.study_uid
        aside = folder.with_name(RETIRED + row.study_uid)
        session.execute(delete(InstanceRow).where(InstanceRow.study_key == study_key))
        session.execute(delete(SeriesRow).where(SeriesRow.study_key == study_key))
        row.state, row.reason = "retired", f"{reason}, {time.strftime('%Y-%m-%d', time.gmtime())}"
        session.flush()
        if folder.exists():
            folder.rename(aside)
            sync_folder(aside.parent)
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _has_instances(session: Session, study_key: int) -> bool:
    return bool(session.scalar(select(exists().where(InstanceRow.study_key == study_key))))


def _bring_back(folder: Path, home: Path) -> None:
    """Move files home; one that arrived again meanwhile is the same."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = home / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
        sync_folder(target.parent)
    shutil.rmtree(folder)


def _forget_notes(index: Index, now: float) -> None:
    oldest_s = now - NOTES_DAYS * DAY_S
    with index.transaction() as session:
        session.execute(delete(RefusalRow).where(RefusalRow.at_s < oldest_s))
        session.execute(delete(CommitmentDutyRow).where(CommitmentDutyRow.answered_s < oldest_s))


def _tell(config: Config, retired: list[Retired]) -> None:
    trail = AuditTrail.of(config)
    for study in retired:
        log.info("study.retired", study_uid=study.study_uid, reason=study.reason)
        trail.deleted(study_uid=study.study_uid, reason=study.reason)
