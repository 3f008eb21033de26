"""One attempt to make a candidate, in the index: how far it is, and how it ended."""

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LearnedVersionRow, LearningRow

REPORT = "report.html"
RUNNING, CANCELLED = "running", "cancelled"


@dataclass(frozen=True)
class Holder:
    """Who makes a learning."""

    node: str
    """Name of the installation."""
    process: str
    """Which start of its train process: of two with one name (a copied state folder) one finds that it is not meant."""


class NoLearning(ConfigFault):
    """No attempt has this key."""

    def __init__(self, job: str) -> None:
        super().__init__(f"there is no learning {job}: `dicomnode learn list`")


def require_learning(session: Session, job: str, *, lock: bool = False) -> LearningRow:
    """One attempt; with a lock, nobody else changes it until this transaction ends.

    Raises:
        NoLearning: there is none of this key.
    """
    row = session.get(LearningRow, job, with_for_update=lock)
    if row is None:
        raise NoLearning(job)
    return row


def is_held(row: LearningRow, holder: Holder) -> bool:
    """Whether this is who makes it, and nobody cancelled it."""
    return (row.node, row.process) == (holder.node, holder.process) and row.state != CANCELLED


def held(session: Session, job: str, holder: Holder) -> LearningRow | None:
    """An attempt, kept from others until this transaction ends, if this is who makes it."""
    row = session.get(LearningRow, job, with_for_update=True)
    return row if row is not None and is_held(row, holder) else None


def take_up(session: Session, job: str, holder: Holder, now_s: float) -> None:
    """Go on with what an earlier process of the same node began, or one of a program that did not say who it was."""
    row = session.get(LearningRow, job, with_for_update=True)
    if row is not None and row.state == RUNNING and row.node in ("", holder.node):
        row.node, row.process, row.seen_s = holder.node, holder.process, now_s


def end_learning(session: Session, job: str, holder: Holder, *, state: str, reason: str) -> bool:
    """An attempt is over; False, and nothing is changed, where it is another's by now or a person cancelled it."""
    row = held(session, job, holder)
    if row is None:
        return False
    row.state, row.reason, row.ended_s = state, reason, time.time()
    return True


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
