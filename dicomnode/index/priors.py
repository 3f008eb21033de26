"""Prior studies in the index: which one a study waits for, and what was found in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.runs import ENDED
from dicomnode.index.schema import InstanceRow, PriorRow, ReaderFindingRow, ResultRow, RunRow, StudyRow
from dicomnode.values import REPORTS, EarlierReport, Run, RunStatus

ASKED, FETCHED, NONE, FAILED = "asked", "fetched", "none", "failed"
"""States of PriorRow."""


def waits_for_prior(session: Session, study_key: int, patience_s: float, now_s: float) -> bool:
    """Ask for a study's prior once; whether it is still to be waited for."""
    row = session.get(PriorRow, study_key)
    if row is None:
        session.add(PriorRow(study_key=study_key, state=ASKED, asked_s=now_s, reason=""))
        return True
    if row.state in (NONE, FAILED) or now_s - row.asked_s >= patience_s:
        return False
    return row.state == ASKED or not _analysed(session, row.prior_study_uid or "")


def priors_to_seek(session: Session) -> Sequence[int]:
    """Study keys whose prior nobody has looked for yet."""
    return list(session.scalars(select(PriorRow.study_key).where(PriorRow.state == ASKED)))


def note_prior(session: Session, study_key: int, state: str, *, prior_study_uid: str = "", reason: str = "") -> None:
    """What became of the search for a study's prior."""
    row = session.get(PriorRow, study_key)
    if row is not None:
        row.state, row.prior_study_uid, row.reason = state, prior_study_uid or None, reason


def is_prior(session: Session, study_key: int) -> bool:
    """Whether a study reached us only because we fetched it to compare another with."""
    study = session.get_one(StudyRow, study_key)
    asked_s = session.scalars(select(PriorRow.asked_s).where(PriorRow.prior_study_uid == study.study_uid)).all()
    return any(study.first_received_s >= moment for moment in asked_s)


def earlier_report(session: Session, state: Path, run: Run) -> EarlierReport | None:
    """Our own report of the newest earlier study of the same patient by the same model, where there is one.

    Whether it is the same patient is told by the tracking UIDs, which follow from ID and issuer.
    """
    study = session.get(StudyRow, run.study.study_key)
    if study is None or not study.patient_id or not study.study_date:
        return None
    found = session.execute(
        select(ResultRow, RunRow, StudyRow.study_date)
        .join(RunRow, RunRow.run_key == ResultRow.run_key)
        .join(StudyRow, StudyRow.study_key == RunRow.study_key)
        .where(
            StudyRow.patient_id == study.patient_id,
            StudyRow.study_key != study.study_key,
            StudyRow.study_date < study.study_date,
            StudyRow.study_date != "",
            RunRow.model == run.model.name,
            RunRow.status.in_((RunStatus.DONE, RunStatus.DELIVERING)),
            RunRow.withdrawn_s.is_(None),
            ResultRow.role.in_(REPORTS),
        )
        .order_by(StudyRow.study_date.desc(), RunRow.revision.desc(), ResultRow.created_s.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    result, earlier, study_date = found
    links = linked_findings(session, study.study_key, earlier.study_key)
    return EarlierReport(study_date, earlier.model_digest, state / result.file, links)


def linked_findings(session: Session, study_key: int, earlier_key: int) -> tuple[tuple[str, str], ...]:
    """Findings of ours in two studies that readers track as one: tracking UID here, and in the earlier study.

    A reader who follows a lesion gives it one tracking UID in both studies, his own or that of our earlier finding.
    """
    here, there = (dict(_readers_tracking(session, key)) for key in (study_key, earlier_key))
    there |= {ours: ours for ours in there.values()}
    return tuple((ours, there[uid]) for uid, ours in here.items() if uid in there and ours != there[uid])


def _readers_tracking(session: Session, study_key: int) -> Iterator[tuple[str, str]]:
    """Tracking UID that a reader used, and that of our finding."""
    query = (
        select(ReaderFindingRow.tracking_uid, ReaderFindingRow.our_tracking_uid)
        .join(InstanceRow, InstanceRow.instance_key == ReaderFindingRow.instance_key)
        .where(InstanceRow.study_key == study_key, ReaderFindingRow.our_tracking_uid.is_not(None))
        .order_by(ReaderFindingRow.finding_key)
    )
    yield from ((uid, ours) for uid, ours in session.execute(query) if uid and ours)


def prior_failure(session: Session, study_key: int) -> str:
    """Why a study's prior could not be fetched, in words; empty where nothing failed."""
    row = session.get(PriorRow, study_key)
    return row.reason if row is not None and row.state == FAILED else ""


def _analysed(session: Session, study_uid: str) -> bool:
    """Whether a study is here, decided, and each of its runs is through."""
    study = session.scalar(select(StudyRow).where(StudyRow.study_uid == study_uid))
    if study is None or study.state == "receiving":
        return False
    statuses = session.scalars(select(RunRow.status).where(RunRow.study_key == study.study_key)).all()
    return all(status in (*ENDED, RunStatus.DELIVERING) for status in statuses)
