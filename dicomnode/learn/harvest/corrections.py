"""Readers' reports that came in: read once, and their findings linked with ours or kept for a person."""

import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset, dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.element_text import MALFORMED
from dicomnode.index.schema import InstanceRow, ReaderFindingRow, ReaderReportRow, ResultRow, RunRow, StudyRow
from dicomnode.learn.harvest.reader_report import (
    REPORTS,
    Group,
    How,
    Match,
    Report,
    matched,
    outline_differs,
    read_report,
)
from dicomnode.values import REPORTS as OUR_REPORTS
from dicomnode.values import Role

log = structlog.get_logger()


@dataclass(frozen=True)
class Waiting:
    """A report that nobody has looked at."""

    instance_key: int
    study_uid: str
    path: Path


@dataclass(frozen=True)
class Listed:
    """A reader's finding, as the tables show it."""

    row: ReaderFindingRow
    observer: str
    study_uid: str
    report_uid: str


def read_reader_reports(index: Index, state: Path, since_s: float = 0.0) -> int:
    """Look at the reports that are not ours, in studies that changed since then; how many findings of readers."""
    with index.snapshot() as session:
        waiting = _waiting(session, state, since_s)
    return sum(_read(index, state, one) for one in waiting)


def reader_findings(session: Session, *, unlinked: bool = False) -> list[Listed]:
    """Findings of readers, newest first; unlinked ones only where a finding of ours could be meant."""
    query = (
        select(ReaderFindingRow, ReaderReportRow.observer, StudyRow.study_uid, InstanceRow.sop_instance_uid)
        .join(ReaderReportRow, ReaderReportRow.instance_key == ReaderFindingRow.instance_key)
        .join(InstanceRow, InstanceRow.instance_key == ReaderReportRow.instance_key)
        .join(StudyRow, StudyRow.study_key == InstanceRow.study_key)
        .order_by(ReaderReportRow.at_s.desc(), ReaderFindingRow.number)
    )
    if unlinked:
        ours = select(ResultRow.study_uid).where(ResultRow.study_uid == StudyRow.study_uid)
        query = query.where(ReaderFindingRow.our_tracking_uid.is_(None), ours.exists())
    return [Listed(*found) for found in session.execute(query)]


def link(session: Session, state: Path, finding_key: int, tracking_uid: str, by: str) -> None:
    """A person says which finding of ours a reader's finding is about.

    Raises:
        ConfigFault: there is no such finding of a reader, or none of ours in its study.
    """
    row = session.get(ReaderFindingRow, finding_key)
    if row is None:
        raise ConfigFault(f"there is no reader's finding {finding_key}: `dicomnode labels list`")
    instance = session.get_one(InstanceRow, row.instance_key)
    study_uid = session.get_one(StudyRow, instance.study_key).study_uid
    for report in _our_reports(session, state, study_uid):
        if any(group.tracking_uid == tracking_uid for group in report.groups):
            row.our_tracking_uid, row.our_report_uid = tracking_uid, report.sop_instance_uid
            row.how, row.linked_by, row.reason = How.PERSON, by, ""
            return
    raise ConfigFault(f"no finding of ours in study {study_uid} has the tracking UID {tracking_uid}")


def _waiting(session: Session, state: Path, since_s: float) -> list[Waiting]:
    query = (
        select(InstanceRow.instance_key, StudyRow.study_uid, InstanceRow.file)
        .join(StudyRow, StudyRow.study_key == InstanceRow.study_key)
        .outerjoin(ReaderReportRow, ReaderReportRow.instance_key == InstanceRow.instance_key)
        .outerjoin(ResultRow, ResultRow.sop_instance_uid == InstanceRow.sop_instance_uid)
        .where(
            StudyRow.last_received_s >= since_s,
            InstanceRow.sop_class_uid.in_(REPORTS),
            InstanceRow.current,
            ReaderReportRow.instance_key.is_(None),
            ResultRow.sop_instance_uid.is_(None),
        )
    )
    return [Waiting(key, study_uid, state / file) for key, study_uid, file in session.execute(query)]


def _read(index: Index, state: Path, waiting: Waiting) -> int:
    try:
        report = read_report(dcmread(waiting.path, stop_before_pixels=True))
    except MALFORMED as fault:
        log.error("reader_report.unreadable", instance=waiting.instance_key, reason=type(fault).__name__)
        report = None
    with index.transaction() as session:
        return _keep(session, state, waiting, report)


def _keep(session: Session, state: Path, waiting: Waiting, report: Report | None) -> int:
    reason = _no_reader(report)
    observer = report.observer if report else ""
    session.add(
        ReaderReportRow(instance_key=waiting.instance_key, observer=observer[:255], reason=reason, at_s=time.time())
    )
    session.flush()
    if report is None or reason:
        return 0
    ours = _our_reports(session, state, waiting.study_uid)
    for number, group in enumerate(report.groups, 1):
        session.add(_row(waiting.instance_key, number, group, matched(group, report, ours)))
    log.info("reader_report.read", study=waiting.study_uid, findings=len(report.groups))
    return len(report.groups)


def _no_reader(report: Report | None) -> str:
    """Why nothing is taken from a report; empty where it is a reader's."""
    if report is None:
        return "it could not be read"
    if not report.is_by_person:
        return "its observer is no person"
    return "" if report.groups else "it has no measurement groups"


def _row(instance_key: int, number: int, group: Group, match: Match) -> ReaderFindingRow:
    return ReaderFindingRow(
        instance_key=instance_key,
        number=number,
        tracking_uid=group.tracking_uid[:64],
        code=group.code[:128],
        our_tracking_uid=match.ours.tracking_uid if match.ours else None,
        our_report_uid=match.report_uid or None,
        how=match.how or "",
        changed=match.ours is not None and bool(group.outline) and outline_differs(group.outline, match.ours.outline),
        reason=match.reason,
        linked_by="",
    )


def _our_reports(session: Session, state: Path, study_uid: str) -> list[Report]:
    return [read_report(document) for document in our_documents(session, state, study_uid)]


def our_documents(session: Session, state: Path, study_uid: str) -> list[Dataset]:
    """Our reports of a study, the newest first; those of what could not be analysed have no findings."""
    query = (
        select(ResultRow.file)
        .join(RunRow, RunRow.run_key == ResultRow.run_key)
        .where(ResultRow.study_uid == study_uid, ResultRow.role.in_((*OUR_REPORTS, Role.SR_FALLBACK)))
        .order_by(RunRow.revision.desc(), ResultRow.created_s.desc())
    )
    return [dcmread(state / file) for file in session.scalars(query)]
