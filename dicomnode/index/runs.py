"""Runs in the index: made, begun, parked, finished; and what a run works on."""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Select, delete, false, select, update
from sqlalchemy.orm import Session

from dicomnode.errors import IdentityFault
from dicomnode.index.schema import (
    ChoiceRow,
    DeliveryRow,
    InstanceRow,
    PauseRow,
    ResultRow,
    RunInstanceRow,
    RunRow,
    StudyRow,
)
from dicomnode.index.studies import load_study
from dicomnode.values import (
    DOCUMENTS,
    Choice,
    DeliveryStatus,
    ModelVersion,
    Predecessor,
    Priority,
    Role,
    Run,
    RunStatus,
    Series,
    Study,
)

ENDED = (RunStatus.DONE, RunStatus.PARKED, RunStatus.CANCELLED)
POSTING = "post"
"""Stage of a run that can no longer be cancelled."""
POSTED = "deliver"
"""Stage of a run whose results are in the outbox."""
FAULT = "fault"
"""Key of a run's summary: why it could not be analysed, as a branch of the error tree."""


def run_key(series: Series, study_uid: str, model_digest: str, encoder: str, profile: str) -> str:
    """Digest of everything that decides a run's results: contents, model version, encoder and viewer profile."""
    contents = sorted((i.sop_instance_uid, i.content_digest) for i in series.instances)
    text = json.dumps([study_uid, contents, model_digest, encoder, profile], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def add_choices(session: Session, study: Study, digest: str, choices: Iterable[tuple[str, Choice]]) -> None:
    """Replace what the models said of a study by what they say now.

    Args:
        session: open transaction.
        study: the study.
        digest: of its contents.
        choices: (route name, choice) pairs.
    """
    session.execute(delete(ChoiceRow).where(ChoiceRow.study_key == study.study_key))
    for route, choice in choices:
        session.add(
            ChoiceRow(
                study_key=study.study_key,
                content_digest=digest,
                route=route,
                model=choice.model,
                series_uid=choice.series.series_uid if choice.series else None,
                verdicts=[
                    {"series": v.series_uid, "description": v.description, "taken": v.taken, "reasons": list(v.reasons)}
                    for v in choice.verdicts
                ],
                decided_s=time.time(),
            )
        )


def add_run(session: Session, run: Run, series: Series) -> bool:
    """Make a run, unless the very same one exists; runs it supersedes and that have not posted are cancelled.

    The very same one that was cancelled (its study was held, say) is queued again.
    """
    same = session.get(RunRow, run.run_key)
    if same is not None:
        if same.status == RunStatus.CANCELLED:
            same.status, same.attempt, same.reason, same.finished_s = RunStatus.QUEUED, same.attempt + 1, "", None
        return same.status == RunStatus.QUEUED
    earlier = _same_study_and_model(session, run)
    session.add(
        RunRow(
            run_key=run.run_key,
            study_key=run.study.study_key,
            model=run.model.name,
            model_digest=run.model.digest,
            series_uid=series.series_uid,
            profile=run.profile,
            priority=run.priority,
            destinations=list(run.destinations),
            revision=len(earlier) + 1,
            status=RunStatus.QUEUED,
            created_s=time.time(),
            shadow=run.shadow,
        )
    )
    session.flush()
    session.add_all(RunInstanceRow(run_key=run.run_key, instance_key=i.instance_key) for i in series.instances)
    for row in earlier:
        if row.status in (RunStatus.QUEUED, RunStatus.RUNNING) and row.stage != POSTING:
            end(
                session,
                row.run_key,
                RunStatus.CANCELLED,
                f"superseded by revision {len(earlier) + 1} before it finished",
            )
    return True


def load_run(session: Session, state: Path, key: str, model: ModelVersion) -> tuple[Run, Series]:
    """A run and the series it works on, with the very instances it was made for."""
    row = require_run(session, key)
    study = load_study(session, state, row.study_key, run_key=key)
    series = next(s for s in study.series if s.series_uid == row.series_uid)
    return (
        Run(
            run_key=key,
            study=study,
            model=model,
            profile=row.profile,
            priority=Priority(row.priority),
            destinations=tuple(row.destinations),
            shadow=row.shadow,
            is_revision=_has_earlier_results(session, row),
            predecessors=_predecessors(session, row),
        ),
        series,
    )


def require_run(session: Session, key: str, *, lock: bool = False) -> RunRow:
    """The row of a run; `lock`: nobody else changes it before this transaction ends.

    Raises:
        IdentityFault: there is none.
    """
    if lock:
        session.flush()  # the row is read anew
    row = session.get(RunRow, key, with_for_update=lock or None)
    if row is None:
        raise IdentityFault(f"there is no run {key[:12]}: list them with `dicomnode runs`")
    return row


def paused_scopes(session: Session) -> frozenset[str]:
    """What a person has paused: "all", "model:NAME", "destination:NAME"."""
    return frozenset(session.scalars(select(PauseRow.scope)))


def begin(session: Session, key: str, stage: str) -> bool:
    """Note that a run works on a stage; False where it has ended, or where it is paused and waits to be queued anew."""
    row = require_run(session, key, lock=True)
    if RunStatus(row.status) in ENDED:
        return False
    if {"all", f"model:{row.model}"} & paused_scopes(session):
        row.status, row.attempt = RunStatus.QUEUED, row.attempt + 1
        return False
    row.status, row.stage = RunStatus.RUNNING, stage
    return True


def end(session: Session, key: str, status: RunStatus, reason: str) -> None:
    """Note how a run ended."""
    row = require_run(session, key, lock=True)
    row.status, row.reason, row.finished_s = status, reason, time.time()


def may_post(session: Session, key: str) -> bool:
    """Whether a run's results may go out now: it was not cancelled, and its study is not held."""
    row = require_run(session, key, lock=True)
    if session.get_one(StudyRow, row.study_key).state == "held":
        end(session, key, RunStatus.CANCELLED, "the study's identity came into question before the results went out")
    if row.status == RunStatus.CANCELLED:
        return False
    row.stage = POSTING
    return True


def note_posted(session: Session, key: str, *, parked: bool, reason: str) -> None:
    """Note that a run's results are in the outbox: delivery follows, or (could not analyse) a person besides."""
    row = require_run(session, key, lock=True)
    row.stage = POSTED
    row.status, row.reason = (RunStatus.PARKED if parked else RunStatus.DELIVERING), reason


def note_fault(session: Session, key: str, family: str) -> None:
    """Keep which branch of the error tree ended a run, where one did: how often a version fails is watched."""
    if family:
        row = require_run(session, key, lock=True)
        row.summary = {**row.summary, FAULT: family}


def has_ended_before(session: Session, key: str, before_s: float) -> bool:
    """Whether a run has ended and was made before a time; it is not retried before this transaction ends."""
    row = session.get(RunRow, key, with_for_update=True)
    return row is None or (RunStatus(row.status) in ENDED and row.created_s < before_s)


def runs_to_start(session: Session) -> Sequence[RunRow]:
    """Runs that are queued, the most urgent first."""
    return session.scalars(select(RunRow).where(RunRow.status == RunStatus.QUEUED).order_by(RunRow.created_s)).all()


def analyses_wait(session: Session) -> bool:
    """Whether a run waits for its analysis or is at it; not one in shadow, nor of a model that a person paused."""
    paused = paused_scopes(session)
    waits = RunRow.status == RunStatus.QUEUED
    if "all" in paused:
        waits = false()
    elif paused:
        waits &= RunRow.model.not_in([scope.removeprefix("model:") for scope in paused])
    query = select(RunRow.run_key).where(waits | (RunRow.status == RunStatus.RUNNING), RunRow.shadow.is_(False))
    return session.execute(query.limit(1)).first() is not None


def deliveries_to_start(session: Session) -> Sequence[tuple[DeliveryRow, str]]:
    """Deliveries that are queued and due, each with its run's priority."""
    query = (
        select(DeliveryRow, RunRow.priority)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .join(RunRow, RunRow.run_key == ResultRow.run_key)
        .where(DeliveryRow.status == DeliveryStatus.QUEUED, DeliveryRow.queued_s <= time.time())
        .order_by(DeliveryRow.queued_s)
    )
    return session.execute(query).all()


def mark_decided(session: Session, study_key: int, digest: str, state: str, reason: str) -> None:
    """Note that a study's contents have been decided on."""
    session.execute(
        update(StudyRow)
        .where(StudyRow.study_key == study_key)
        .values(decided_digest=digest, decided_s=time.time(), state=state, reason=reason)
    )


def _same_study_and_model(session: Session, run: Run) -> Sequence[RunRow]:
    """Runs that this one supersedes; a shadow supersedes shadows of the same version alone."""
    query = select(RunRow).where(RunRow.study_key == run.study.study_key, RunRow.model == run.model.name)
    if run.shadow:
        query = query.where(RunRow.shadow, RunRow.model_digest == run.model.digest)
    else:
        query = query.where(RunRow.shadow.is_(False), RunRow.profile == run.profile)
    return session.scalars(query.order_by(RunRow.revision)).all()


def _has_earlier_results(session: Session, row: RunRow) -> bool:
    return session.scalars(_earlier_results(row).where(ResultRow.role != Role.REJECTION).limit(1)).first() is not None


def _predecessors(session: Session, row: RunRow) -> tuple[Predecessor, ...]:
    found = session.scalars(_earlier_results(row).where(ResultRow.role.in_((*DOCUMENTS, Role.COULD_NOT))))
    return tuple(Predecessor(r.series_uid, r.sop_class_uid, r.sop_instance_uid) for r in found)


def _earlier_results(row: RunRow) -> Select[ResultRow]:
    """Results of earlier runs of the same study, model and profile; or of this one, when it could not analyse."""
    return (
        select(ResultRow)
        .join(RunRow, RunRow.run_key == ResultRow.run_key)
        .where(
            RunRow.study_key == row.study_key,
            RunRow.model == row.model,
            RunRow.profile == row.profile,
            (RunRow.revision < row.revision) | (RunRow.run_key == row.run_key) & (ResultRow.role == Role.COULD_NOT),
        )
        .order_by(RunRow.revision)
    )


def patient_id_of(session: Session, study_key: int) -> str:
    """Patient ID of a study's current instances."""
    found = session.scalar(
        select(InstanceRow.patient_id).where(
            InstanceRow.study_key == study_key, InstanceRow.current, ~InstanceRow.own_result
        )
    )
    return found or ""
