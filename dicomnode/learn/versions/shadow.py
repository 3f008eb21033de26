"""The shadow period: a candidate analyses what the version in use analyses, and nobody is sent what it says."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.errors import NodeError
from dicomnode.handover import handed_over, handover_folder
from dicomnode.index.database import Index
from dicomnode.index.learning import LearnedVersionRow, ShadowAnswerRow, ShadowRow
from dicomnode.index.runs import require_run, run_key
from dicomnode.index.schema import RunRow
from dicomnode.learn.values import Judgement, Verdict
from dicomnode.learn.versions.agreement import Agreement, agreement, neither
from dicomnode.learn.versions.in_use import installed, learned_version, scopes_of, version_of_run
from dicomnode.learn.versions.record import record
from dicomnode.values import Priority, Run, RunStatus, Series, Study

log = structlog.get_logger()

DAY_S = 86400.0
PATIENCE_S = DAY_S
"""After so long a shadow run no longer waits for what the version in use says."""
COMPARE = "compare"
"""Stage of a shadow run that waits for it."""


@dataclass(frozen=True)
class Period:
    """How far a candidate's shadow period is."""

    row: ShadowRow
    compared: int
    """Studies that both versions answered."""
    agreed: int

    def days(self, now_s: float) -> float:
        """How long it runs, or ran."""
        until_s = now_s if self.row.ended_s is None else self.row.ended_s
        return max(0.0, (until_s - self.row.started_s) / DAY_S)

    @property
    def was_cut_short(self) -> bool:
        """It ended before it was over, since another candidate took its place."""
        return self.row.ended_s is not None and not self.is_over(self.row.ended_s)

    def is_over(self, now_s: float) -> bool:
        """After enough studies, or enough days with at least one."""
        days = self.days(now_s)
        return self.compared >= self.row.studies or (days >= self.row.days and self.compared > 0)

    def words(self, now_s: float) -> str:
        """How far, for a person."""
        days = self.days(now_s)
        ended = "was cut short" if self.was_cut_short else "ended" if self.row.ended_s is not None else "runs"
        return (
            f"shadow period {ended}: {self.compared} of {self.row.studies} studies, {days:.1f} of {self.row.days:g} "
            f"days; the two agree on {self.agreed}"
        )


def note_verdict(session: Session, digest: str, judgement: Judgement) -> LearnedVersionRow:
    """Keep what the gate said of a candidate; a rejected one is never shadowed nor promoted."""
    row = session.get_one(LearnedVersionRow, digest)
    row.verdict = str(judgement.verdict)
    if judgement.verdict is Verdict.REJECT:
        row.state = "rejected"
    details = {
        "verdict": row.verdict,
        "rules": {rule.rule: rule.passed for rule in judgement.rules},
        "words": {rule.rule: rule.words for rule in judgement.rules},
        "look": judgement.look,
        "alpha": judgement.alpha,
    }
    record(session, "judged", model=row.model, digest=digest, reason=judgement.words, details=details)
    return row


def start_shadow(session: Session, config: Config, digest: str) -> ShadowRow:
    """Begin a candidate's shadow period; a rejected one has none, unless a person wants it for research.

    Safe to repeat. Candidates of the same scope that went before end theirs: one is watched at a time. One that was cut
    short so begins anew; what it was compared on before counts.
    """
    known = session.get(ShadowRow, digest)
    so_far = period(session, digest)
    if known is not None and not (so_far and so_far.was_cut_short):
        return known
    row = session.get_one(LearnedVersionRow, digest)
    for other in session.scalars(select(ShadowRow).filter_by(model=row.model, scope=row.scope, ended_s=None)):
        other.ended_s = time.time()
        _set_aside(session, other.digest)
    wanted = config.learn
    shadow = session.merge(
        ShadowRow(
            digest=digest, model=row.model, scope=row.scope, started_s=time.time(), studies=wanted.shadow_studies,
            days=wanted.shadow_days, ended_s=None,
        )
    )  # fmt: skip
    row.state = "shadow"
    details = {"studies": shadow.studies, "days": shadow.days, "scope": row.scope}
    record(session, "shadow started", model=row.model, digest=digest, details=details)
    return shadow


def period(session: Session, digest: str) -> Period | None:
    """How far a candidate's shadow period is; None where it has none."""
    row = session.get(ShadowRow, digest)
    if row is None:
        return None
    mine = select(func.count()).select_from(ShadowAnswerRow).where(ShadowAnswerRow.digest == digest)
    compared = session.scalar(mine.where(ShadowAnswerRow.agrees.is_not(None))) or 0
    agreed = session.scalar(mine.where(ShadowAnswerRow.agrees.is_(True))) or 0
    return Period(row, compared, agreed)


def end_shadows(session: Session, now_s: float) -> tuple[str, ...]:
    """End the shadow periods that are over; digests of their candidates."""
    ended = []
    for row in session.scalars(select(ShadowRow).filter_by(ended_s=None)).all():
        so_far = period(session, row.digest)
        if so_far is not None and so_far.is_over(now_s):
            row.ended_s = now_s
            details = {"compared": so_far.compared, "agreed": so_far.agreed}
            record(session, "shadow ended", model=row.model, digest=row.digest, details=details)
            ended.append(row.digest)
    return tuple(ended)


def shadow_runs(
    session: Session, config: Config, study: Study, series: Series, model: str, profile: str
) -> list[tuple[Run, Series]]:
    """A run for each candidate that is to be watched on a series; nothing that is wrong with one harms another run."""
    scopes = scopes_of(config.learn, series.first)
    wanted = select(ShadowRow).where(ShadowRow.model == model, ShadowRow.ended_s.is_(None))
    shadows = session.scalars(wanted.where(ShadowRow.scope.in_(scopes))).all()
    base = installed(session, config, model).digest if shadows else ""
    found = []
    for shadow in shadows:
        row = session.get(LearnedVersionRow, shadow.digest)
        if row is None or row.base != base or row.state != "shadow":
            continue
        try:
            version = learned_version(session, config, row, shadow=True)
        except NodeError as fault:
            log.error("shadow.refused", model=model, digest=row.digest[:12], reason=str(fault))
            continue
        key = run_key(series, study.study_uid, version.digest, "shadow", "shadow")
        found.append((Run(key, study, version, profile, Priority.REPROCESS, (), shadow=True), series))
    return found


def compare(index: Index, config: Config, key: str, now_s: float) -> bool:
    """Compare a shadow run with what the version in use said; False where that is still to come."""
    with index.snapshot() as session:
        shadow = require_run(session, key)
        beside = _beside(session, shadow)
    if beside is None:
        return _said(index, key, "", neither("no run of the version in use stands beside it"), now_s)
    if not handover_folder(config.node.state, beside.run_key).is_dir():
        if beside.status in (RunStatus.QUEUED, RunStatus.RUNNING) and now_s - shadow.created_s < PATIENCE_S:
            return False
        told = neither(f"the version in use gave no answer ({beside.reason or beside.status})")
        return _said(index, key, beside.model_digest, told, now_s)
    try:
        told = _compared(index, config, shadow, beside)
    except (NodeError, OSError, ValueError, KeyError) as fault:
        told = neither(f"the two cannot be compared: {fault}")
    return _said(index, key, beside.model_digest, told, now_s)


def failed(index: Index, key: str, reason: str, now_s: float) -> None:
    """Keep why a candidate had no answer; nobody else is told, for nobody waits for it."""
    with index.snapshot() as session:
        beside = _beside(session, require_run(session, key))
    _said(index, key, beside.model_digest if beside else "", neither(f"the candidate gave no answer: {reason}"), now_s)


def compare_waiting(index: Index, config: Config, now_s: float) -> int:
    """Compare the shadow runs that waited for the version in use; how many."""
    with index.snapshot() as session:
        query = select(RunRow.run_key).where(RunRow.shadow, RunRow.status == RunStatus.RUNNING, RunRow.stage == COMPARE)
        keys = session.scalars(query).all()
    return sum(compare(index, config, key, now_s) for key in keys)


def disagreements(session: Session, digest: str) -> Sequence[ShadowAnswerRow]:
    """Studies on which a candidate and the version in use differ, or that one could not answer; newest first."""
    query = select(ShadowAnswerRow).where(ShadowAnswerRow.digest == digest, ShadowAnswerRow.agrees.is_not(True))
    return session.scalars(query.order_by(ShadowAnswerRow.at_s.desc())).all()


def _compared(index: Index, config: Config, shadow: RunRow, beside: RunRow) -> Agreement:
    state = config.node.state
    with index.snapshot() as session:
        version = version_of_run(session, config, shadow.model, shadow.model_digest, shadow=True)
    candidate, in_use = handed_over(state, shadow.run_key), handed_over(state, beside.run_key)
    return agreement(load_dicom_toml(version.folder), candidate, in_use)


def _beside(session: Session, shadow: RunRow) -> RunRow | None:
    """The run of the version in use on the same series, the newest."""
    query = select(RunRow).where(
        RunRow.study_key == shadow.study_key,
        RunRow.model == shadow.model,
        RunRow.series_uid == shadow.series_uid,
        RunRow.shadow.is_(False),
    )
    return session.scalars(query.order_by(RunRow.created_s.desc(), RunRow.revision.desc()).limit(1)).first()


def _said(index: Index, key: str, in_use: str, told: Agreement, now_s: float) -> bool:
    with index.transaction() as session:
        run = require_run(session, key)
        session.merge(
            ShadowAnswerRow(
                run_key=key,
                study_key=run.study_key,
                digest=run.model_digest,
                in_use=in_use,
                agrees=told.agrees,
                words=told.words,
                figures=told.figures,
                at_s=now_s,
            )
        )
        run.status, run.stage, run.reason, run.finished_s = RunStatus.DONE, "", told.words, now_s
    log.info("shadow.compared", run=key[:12], model=run.model, digest=run.model_digest[:12], agrees=told.agrees)
    return True


def _set_aside(session: Session, digest: str) -> None:
    row = session.get(LearnedVersionRow, digest)
    if row is not None and row.state == "shadow":
        row.state = "former"
