"""What is in use is watched: a version that fails, or answers otherwise than it was tested, goes back by itself."""

import math
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.errors import ModelFault, NodeError
from dicomnode.index.database import Index
from dicomnode.index.learning import InUseRow, LearnedVersionRow, ShadowAnswerRow, ShadowRow
from dicomnode.index.runs import FAULT
from dicomnode.index.schema import RunRow
from dicomnode.learn.values import Verdict
from dicomnode.learn.versions.folders import Tampered, require_intact
from dicomnode.learn.versions.in_use import answers_for, installed
from dicomnode.learn.versions.promote import AUTOMATIC, Asked, MayNotBePromoted, promote
from dicomnode.learn.versions.record import keep_head
from dicomnode.learn.versions.rollback import THE_NODE, automatic_rollback
from dicomnode.learn.versions.shadow import compare_waiting, end_shadows
from dicomnode.summary import is_positive
from dicomnode.values import RunStatus

log = structlog.get_logger()

LATEST = 200
"""Runs of a version that are looked at, since it came in use."""
FAULTS = 3
"""Fewer failures than this are no rate."""
FAULT_SHARE = 0.05
ENOUGH = 30
"""Answers below which a rate of positives says nothing, in the shadow period and in use alike."""
SIGMA = 3.0


@dataclass(frozen=True)
class Alarm:
    """Why a version goes back."""

    kind: str
    words: str


def watch_versions(index: Index, config: Config, now_s: float) -> None:
    """Do all that versions need now and then; safe to repeat."""
    compare_waiting(index, config, now_s)
    with index.transaction() as session:
        end_shadows(session, now_s)
    if config.learn.promote == AUTOMATIC:
        for digest in _to_promote(index):
            _promote(index, config, digest)
    watch_in_use(index, config, now_s)
    keep_head(index, config.node.state)


def watch_in_use(index: Index, config: Config, now_s: float) -> tuple[str, ...]:
    """Look at every version in use, and roll those back that fail; their digests."""
    with index.snapshot() as session:
        pointers = session.scalars(select(InUseRow)).all()
        alarms = {pointer.digest: alarm_of(session, config, pointer, now_s) for pointer in pointers}
    found = {digest: alarm for digest, alarm in alarms.items() if alarm is not None}
    for digest, alarm in found.items():
        automatic_rollback(index, config, digest, alarm.kind, alarm.words)
    return tuple(found)


def alarm_of(session: Session, config: Config, pointer: InUseRow, now_s: float) -> Alarm | None:
    """What speaks against a version in use; None where nothing does."""
    row = session.get(LearnedVersionRow, pointer.digest)
    if row is None:
        return None
    try:
        require_intact(config.node.state / row.folder, row.model, row.digest)
    except Tampered as fault:
        return Alarm("integrity", str(fault))
    since_s = min(pointer.since_s, now_s)
    runs = _runs_since(session, row.digest, since_s)
    return _failing(row, runs) or _answering_otherwise(session, config, row, runs)


def _failing(row: LearnedVersionRow, runs: list[RunRow]) -> Alarm | None:
    faults = [run for run in runs if _failed(run)]
    if len(faults) < FAULTS or len(faults) < FAULT_SHARE * len(runs):
        return None
    words = f"{len(faults)} of the last {len(runs)} runs of {row.version} failed, the last one: {faults[0].reason}"
    return Alarm("error rate", words)


def _failed(run: RunRow) -> bool:
    return run.status == RunStatus.PARKED and run.summary.get(FAULT) == ModelFault.__name__


def _answering_otherwise(session: Session, config: Config, row: LearnedVersionRow, runs: list[RunRow]) -> Alarm | None:
    """Its rate of positive answers against that of its own shadow period, both with what chance does to them."""
    shadow = [bool(figures["positive"]) for figures in _figures(session, row.digest) if "positive" in figures]
    rules = load_dicom_toml(config.node.state / row.folder)
    now = [found for run in runs if (found := is_positive(rules, run.summary)) is not None]
    if min(len(shadow), len(now)) < ENOUGH:
        return None
    before, present = sum(shadow) / len(shadow), sum(now) / len(now)
    pooled = (sum(shadow) + sum(now) + 1) / (len(shadow) + len(now) + 2)
    sigma = math.sqrt(pooled * (1 - pooled) * (1 / len(shadow) + 1 / len(now)))
    if abs(present - before) <= SIGMA * sigma:
        return None
    words = f"{row.version} finds something in {present:.0%} of {len(now)} studies, in its shadow period {before:.0%}"
    return Alarm("output rate", words)


def _runs_since(session: Session, digest: str, since_s: float) -> list[RunRow]:
    query = select(RunRow).where(
        RunRow.model_digest == digest,
        RunRow.shadow.is_(False),
        RunRow.created_s >= since_s,
        RunRow.status.in_((RunStatus.DELIVERING, RunStatus.DONE, RunStatus.PARKED)),
    )
    return list(session.scalars(query.order_by(RunRow.created_s.desc()).limit(LATEST)))


def _figures(session: Session, digest: str) -> list[dict[str, object]]:
    query = select(ShadowAnswerRow.figures).where(ShadowAnswerRow.digest == digest, ShadowAnswerRow.agrees.is_not(None))
    return list(session.scalars(query))


def _to_promote(index: Index) -> tuple[str, ...]:
    """Candidates that wait for it since their shadow period ended, whoever ended it; of several the newest first."""
    query = (
        select(LearnedVersionRow.digest)
        .join(ShadowRow, ShadowRow.digest == LearnedVersionRow.digest)
        .where(
            ShadowRow.ended_s.is_not(None),
            LearnedVersionRow.state == "shadow",
            LearnedVersionRow.verdict == Verdict.PROMOTE,
        )
        .order_by(ShadowRow.ended_s.desc())
    )
    with index.snapshot() as session:
        return tuple(session.scalars(query))


def _follows(session: Session, config: Config, row: LearnedVersionRow) -> bool:
    """Whether a candidate goes back to the installed bundle, and was compared with what answers now."""
    try:
        base = installed(session, config, row.model)
    except NodeError:
        return False
    return row.base == base.digest and answers_for(session, row.model, row.scope, base) == row.parent


def _promote(index: Index, config: Config, digest: str) -> None:
    """As [learn].promote says in full words; what a person could not promote is not promoted here either."""
    with index.snapshot() as session:
        row = session.get_one(LearnedVersionRow, digest)
        if not _follows(session, config, row):  # what it was compared with is not in use any more
            return
    asked = Asked(THE_NODE, f'[learn].promote is "{AUTOMATIC}", its verdict is PROMOTE, its shadow period is over')
    try:
        promote(index, config, row.model, digest, asked)
    except MayNotBePromoted as fault:
        log.warning("model.not_promoted", model=row.model, digest=digest[:12], reason=str(fault))
    except NodeError as fault:
        log.error("model.not_promoted", model=row.model, digest=digest[:12], reason=str(fault))
