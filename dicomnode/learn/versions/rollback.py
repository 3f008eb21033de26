"""Back to what answered before: the pointer moves, and studies in flight are analysed by what is in use now."""

import time
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.tables import Config
from dicomnode.encode.uids import ENCODER_VERSION
from dicomnode.errors import ConfigFault, ModelFault, NodeError
from dicomnode.index.database import Index
from dicomnode.index.learning import AlarmRow, InUseRow, LearnedVersionRow
from dicomnode.index.runs import POSTING, add_run, end, load_run, run_key
from dicomnode.index.schema import RunRow
from dicomnode.learn.versions.folders import Tampered, require_intact
from dicomnode.learn.versions.in_use import ROLLED_BACK, in_use
from dicomnode.learn.versions.record import keep_head, one_at_a_time, record
from dicomnode.values import Header, ModelVersion, Priority, Run, RunStatus

log = structlog.get_logger()

THE_NODE = "the node itself"
IN_FLIGHT = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.PARKED)


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did."""

    model: str
    scope: str
    from_digest: str
    to_digest: str
    """Empty: the installed bundle answers."""
    redone: int
    """Studies in flight that the restored version analyses."""

    def words(self) -> str:
        """For the person who asked."""
        there = f"version {self.to_digest[:12]}" if self.to_digest else "the installed bundle"
        return f"{self.model}: {there} answers again; {self.redone} run(s) in flight were handed to it"


def answering(index: Index, config: Config, model: str, header: Header) -> ModelVersion:
    """The version that answers for a series; one whose files were changed is rolled back first.

    Raises:
        NotApproved: the installed bundle may not run.
    """
    for _ in range(MOST_STEPS):
        try:
            with index.snapshot() as session:
                return in_use(session, config, model, header)
        except Tampered as fault:
            automatic_rollback(index, config, fault.digest, "integrity", str(fault))
    raise ModelFault(f"no version of {model} that was in use is what it was: restore state/models from a backup")


MOST_STEPS = 20
"""Versions one after the other that are found changed; then a person must look."""


def rollback(index: Index, config: Config, model: str, *, by: str, reason: str, scope: str = "") -> RolledBack:
    """Put back in use what was before the version in use; within one transaction, so that no study is lost.

    Runs of the version that have not posted are cancelled, and made anew with what is in use now; what was posted
    stays. Runs that failed are made anew too: the reader may yet get an answer.

    Raises:
        ConfigFault: nothing was promoted for this scope.
    """
    with index.transaction() as session:
        one_at_a_time(session)
        pointer = session.get(InUseRow, (model, scope))
        if pointer is None:
            where = f" for {scope}" if scope else ""
            raise ConfigFault(f"nothing of {model} was promoted{where}: the installed bundle answers already")
        done = _moved(session, config, pointer)
        details = {"scope": scope, "to": done.to_digest, "redone": done.redone}
        record(session, "rolled back", model=model, digest=done.from_digest, by=by, reason=reason, details=details)
    keep_head(index, config.node.state)
    log.warning("model.rolled_back", model=model, digest=done.from_digest[:12], redone=done.redone, reason=reason)
    return done


def automatic_rollback(index: Index, config: Config, digest: str, kind: str, words: str) -> RolledBack | None:
    """Roll a version back without being asked, and alarm a person; None where it is not in use any more.

    Args:
        index: open index.
        config: of the node.
        digest: of the version.
        kind: of the alarm: "error rate", "self-test", "output rate" or "integrity".
        words: why, for a person.
    """
    with index.transaction() as session:
        one_at_a_time(session)
        pointer = session.scalars(select(InUseRow).filter_by(digest=digest)).first()
        if pointer is None:
            return None
        model, scope = pointer.model, pointer.scope
        done = _moved(session, config, pointer)
        details = {"scope": scope, "to": done.to_digest, "redone": done.redone, "alarm": kind}
        record(session, "rolled back", model=model, digest=digest, by=THE_NODE, reason=words, details=details)
        session.add(AlarmRow(model=model, kind=kind, words=f"rolled back: {words}", at_s=time.time()))
    keep_head(index, config.node.state)
    log.error("model.rolled_back", model=model, digest=digest[:12], because=kind, reason=words, fix="see its alarm")
    return done


def _moved(session: Session, config: Config, pointer: InUseRow) -> RolledBack:
    """The pointer goes to the version before that is whole, else to the installed bundle; runs in flight follow."""
    model, scope, left = pointer.model, pointer.scope, pointer.digest
    row = session.get_one(LearnedVersionRow, left)
    row.state = ROLLED_BACK
    target = _before(session, config, row)
    if target is None:
        session.delete(pointer)
    else:
        pointer.digest, pointer.previous, pointer.since_s = target.digest, target.parent, time.time()
        pointer.by, target.state = THE_NODE, "in use"
    session.flush()
    return RolledBack(model, scope, left, target.digest if target else "", _redone(session, config, left))


def _before(session: Session, config: Config, row: LearnedVersionRow) -> LearnedVersionRow | None:
    """The version that was in use before another, and before that; one that is whole and goes back to the same base."""
    before = session.get(LearnedVersionRow, row.parent)
    while before is not None:
        try:
            require_intact(config.node.state / before.folder, before.model, before.digest)
        except Tampered as fault:
            log.error("model.not_restored", model=before.model, digest=before.digest[:12], reason=str(fault))
        else:
            if before.base == row.base and before.scope == row.scope:
                return before
        before = session.get(LearnedVersionRow, before.parent)
    return None


def _redone(session: Session, config: Config, digest: str) -> int:
    """Hand the runs of a version that have not posted to what is in use now; how many."""
    query = select(RunRow).where(
        RunRow.model_digest == digest,
        RunRow.shadow.is_(False),
        RunRow.status.in_(IN_FLIGHT),
        RunRow.stage != POSTING,
        RunRow.withdrawn_s.is_(None),
    )
    return sum(_redo(session, config, row, digest) for row in session.scalars(query).all())


def _redo(session: Session, config: Config, row: RunRow, digest: str) -> bool:
    stand_in = ModelVersion(row.model, "", digest, "", config.infer.folder / row.model)
    run, series = load_run(session, config.node.state, row.run_key, stand_in)
    try:
        version = in_use(session, config, row.model, series.first)
    except NodeError as fault:
        end(session, row.run_key, RunStatus.PARKED, f"its version was rolled back, and none can take over: {fault}")
        return False
    end(session, row.run_key, RunStatus.CANCELLED, f"version {digest[:12]} was rolled back: analysed by another")
    key = run_key(series, run.study.study_uid, version.digest, ENCODER_VERSION, config.viewer(run.profile))
    anew = Run(key, run.study, version, run.profile, Priority(row.priority), run.destinations)
    return add_run(session, anew, series)
