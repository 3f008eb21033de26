"""That a candidate is wanted is written down once; and whose turn it is, of all nodes on one index."""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dicomnode.errors import DeviceBusy, ModelFault
from dicomnode.index.learning import LearningRow
from dicomnode.index.learnings import CANCELLED, RUNNING, Holder, is_held
from dicomnode.index.schema import TickRow

log = structlog.get_logger()

CHECK_ROW = "learn"
WAITING = "waiting"
UNDER_WAY = (WAITING, RUNNING)


class Trigger(StrEnum):
    """Why a candidate is made."""

    CALENDAR = "calendar"
    LABELS = "labels"
    DRIFT = "drift"
    PERSON = "person"


@dataclass(frozen=True)
class Asked:
    """A candidate that is wanted."""

    model: str
    trigger: Trigger
    moment: str
    """What makes the job's id the same however often it is asked: the moment that came due."""
    reason: str = ""
    """What speaks for it, in words."""
    by: str = ""
    scope: str = ""

    @property
    def job(self) -> str:
        """The id that all of it goes by."""
        return f"{self.model}:{self.trigger}:{self.moment}{_tail(self.scope)}"


class Overlap(ModelFault):
    """A candidate of the same model and scope is being made already."""

    def __init__(self, other: LearningRow) -> None:
        how = "is being made" if other.state == RUNNING else "waits for its turn"
        whose = f"{other.model} for {other.scope}" if other.scope else other.model
        super().__init__(
            f"a candidate of {whose} {how} already ({other.job}): wait until it has ended, or "
            f"`dicomnode learn cancel {other.job}`"
        )
        self.job = other.job


class NotItsTurn(DeviceBusy):
    """Another candidate is being made, or this one by another node; of all nodes, one makes one at a time."""

    def __init__(self, other: LearningRow) -> None:
        by = f" by {other.node}" if other.node else ""
        super().__init__(f"{other.job} is being made{by}: this waits until it has ended, or its node is gone for good")
        self.job = other.job


def ask(session: Session, asked: Asked, now_s: float) -> LearningRow:
    """Write down that a candidate is wanted; what was asked before under the same id stays as it is.

    Raises:
        Overlap: one of the same model and scope is waiting or being made.
    """
    hold(session)
    found = session.get(LearningRow, asked.job)
    if found is not None:
        return found
    same = LearningRow.model == asked.model, LearningRow.scope == asked.scope
    other = session.scalars(select(LearningRow).where(*same, LearningRow.state.in_(UNDER_WAY)).limit(1)).first()
    if other is not None:
        raise Overlap(other)
    return _write(session, asked, WAITING, asked.reason, now_s)


def refuse(session: Session, asked: Asked, reason: str, now_s: float) -> None:
    """Keep for a person that a candidate was wanted and why it is not made."""
    hold(session)
    if session.get(LearningRow, asked.job) is None:
        _write(session, asked, CANCELLED, reason, now_s).ended_s = now_s


def take_turn(session: Session, job: str, *, holder: Holder, is_gone: Callable[[LearningRow], bool]) -> bool:
    """Have a job begin on this node; False where nobody wants it any longer.

    Args:
        session: of a transaction, that others wait for.
        job: which.
        holder: who wants to make it.
        is_gone: whether whoever makes a learning has been silent for too long; that one goes back to those that wait.

    Raises:
        NotItsTurn: another one is being made, or this one by another.
    """
    hold(session)
    row = session.get(LearningRow, job, with_for_update=True)
    if row is None or row.state not in UNDER_WAY:
        return False
    if not _is_its_own(row, holder):
        for other in session.scalars(select(LearningRow).where(LearningRow.state == RUNNING).with_for_update()):
            if not is_gone(other):
                raise NotItsTurn(other)
            _put_back(other)
    row.state, row.node, row.process, row.seen_s = RUNNING, holder.node, holder.process, time.time()
    return True


def note_waiting(session: Session, job: str, other: str) -> None:
    """Tell a person what a learning waits for, if it is one that waits."""
    row = session.get(LearningRow, job, with_for_update=True)
    if row is not None and row.state == WAITING:
        row.progress = {"part": f"waits for {other}"}


def hold(session: Session) -> None:
    """Keep others from asking or beginning until this transaction ends, on any node of this index."""
    lock = update(TickRow).where(TickRow.job == CHECK_ROW).values(last_s=TickRow.last_s)
    if session.connection().execute(lock).rowcount:
        return
    try:
        with session.begin_nested():
            session.add(TickRow(job=CHECK_ROW, last_s=0.0))
    except IntegrityError:  # another node wrote it first
        session.connection().execute(lock)


def _is_its_own(row: LearningRow, holder: Holder) -> bool:
    """Whether it has it already; or an earlier process of its node, that ended before the first stage."""
    return row.state == RUNNING and (is_held(row, holder) or (row.node == holder.node and not row.stage))


def _put_back(row: LearningRow) -> None:
    """What a node left that is gone begins at the start when it has its turn: the job's folder is out of reach."""
    log.warning("learn.put_back", job=row.job, node=row.node, stage=row.stage)
    row.reason = (
        f"begun again: nobody heard of {row.node or 'the node that made it'}, which was at {row.stage or 'begin'}"
    )
    row.state, row.stage, row.progress = WAITING, "", {}
    row.training_set = row.candidate = row.node = row.process = ""
    row.seen_s = None


def _tail(scope: str) -> str:
    """Of a job's id: the scope in letters that a folder may have, and what tells it from one that reads alike."""
    if not scope:
        return ""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", scope).strip("-")[:24]
    return f":{plain}-{hashlib.sha256(scope.encode()).hexdigest()[:6]}"


def _write(session: Session, asked: Asked, state: str, reason: str, now_s: float) -> LearningRow:
    row = LearningRow(
        job=asked.job,
        model=asked.model,
        scope=asked.scope,
        trigger=asked.trigger.value,
        by=asked.by,
        state=state,
        reason=reason,
        started_s=now_s,
    )
    session.add(row)
    session.flush()
    return row
