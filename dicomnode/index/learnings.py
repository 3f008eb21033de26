"""One attempt to make a candidate, in the index: how far it is, and how it ended."""

import time
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LearnedVersionRow, LearningRow

REPORT = "report.html"


class NoLearning(ConfigFault):
    """No attempt has this key."""

    def __init__(self, job: str) -> None:
        super().__init__(f"there is no learning {job}: `dicomnode learn list`")


def require_learning(session: Session, job: str) -> LearningRow:
    """One attempt.

    Raises:
        NoLearning: there is none of this key.
    """
    row = session.get(LearningRow, job)
    if row is None:
        raise NoLearning(job)
    return row


def end_learning(session: Session, job: str, state: str, reason: str) -> None:
    """An attempt is over; one that a person cancelled stays so."""
    row = require_learning(session, job)
    if row.state != "cancelled":
        row.state, row.reason = state, reason
    row.ended_s = time.time()


def folder_of(state: Path, job: str) -> Path:
    """Of all that an attempt makes; it holds nothing about a person."""
    return state / "learning" / job.replace(":", "_")


def report_of(session: Session, state: Path, model: str, version: str) -> Path:
    """The report on a version of a model; empty: the newest that has one.

    Raises:
        ConfigFault: there is none.
    """
    query = (
        select(LearningRow.job)
        .join(LearnedVersionRow, LearnedVersionRow.digest == LearningRow.candidate)
        .where(LearningRow.model == model)
        .order_by(LearningRow.started_s.desc())
    )
    if version:
        query = query.where((LearnedVersionRow.version == version) | LearnedVersionRow.digest.startswith(version))
    found = [folder_of(state, job) / REPORT for job in session.scalars(query)]
    reports = [path for path in found if path.is_file()]
    if not reports:
        raise ConfigFault(f"there is no report on {model} {version}".rstrip() + ": `dicomnode learn list`")
    return reports[0]
