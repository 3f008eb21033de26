"""A person puts a version in use; the pointer moves, and the record says who, when and why."""

import time
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.bundles.approval import device_uid
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow, InUseRow, LearnedVersionRow, LookRow
from dicomnode.index.models import record_approval
from dicomnode.learn.split.merge import FORGOTTEN
from dicomnode.learn.values import Verdict
from dicomnode.learn.versions.folders import require_intact
from dicomnode.learn.versions.in_use import OtherBase, answers_for, installed
from dicomnode.learn.versions.record import keep_head, one_at_a_time, record
from dicomnode.learn.versions.shadow import end_shadows, period
from dicomnode.values import ModelVersion

log = structlog.get_logger()

AUTOMATIC = "automatically, without a person"
THE_NODE = "the node itself"


class MayNotBePromoted(ConfigFault):
    """A version lacks what promotion needs."""

    def __init__(self, row: LearnedVersionRow, why: str) -> None:
        super().__init__(f"version {row.version} of {row.model} is not promoted: {why}")
        self.digest, self.why = row.digest, why


@dataclass(frozen=True)
class Asked:
    """Who wants a version in use, and why."""

    by: str
    reason: str
    research: bool = False
    """Against the gate's verdict; never against its integrity rule, nor before the shadow period has ended."""


def find_version(session: Session, model: str, named: str) -> LearnedVersionRow:
    """The version of a model that a person names: "1.0.0+learned.2", "learned.2", or the beginning of its digest.

    Raises:
        ConfigFault: none, or more than one.
    """
    rows = session.scalars(select(LearnedVersionRow).filter_by(model=model)).all()
    exact = [row for row in rows if named in (row.version, row.version.partition("+")[2])]
    found = exact or [row for row in rows if len(named) >= 4 and row.digest.startswith(named)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(row.version for row in rows) or "none was made yet"
    raise ConfigFault(f"{'several versions' if found else 'no version'} of {model} named {named!r}; there are: {known}")


def promote(index: Index, config: Config, model: str, named: str, asked: Asked) -> LearnedVersionRow:
    """Put a version in use, in one transaction: of two at once, one wins and the other is told.

    Raises:
        ConfigFault: no such version, or nobody answers for it.
        MayNotBePromoted: it lacks the verdict, the shadow period, or its integrity; or another was promoted since.
        Tampered: its files are not those it was made of.
        NotApproved: the installed bundle may not run.
    """
    require_answerable(asked)
    with index.transaction() as session:
        one_at_a_time(session)
        end_shadows(session, time.time())
        row = find_version(session, model, named)
        require_promotable(session, config, row, asked)
        _point(session, config, row, asked)
    keep_head(index, config.node.state)
    log.warning("model.promoted", model=model, version=row.version, digest=row.digest[:12], research=row.research)
    return row


def require_answerable(asked: Asked) -> None:
    """A named person with a reason.

    Raises:
        ConfigFault: one is missing.
    """
    if not asked.by.strip():
        raise ConfigFault('nobody answers for it: --by "First Last"')
    if not asked.reason.strip():
        raise ConfigFault('no reason is given: --reason "..."')


def require_promotable(session: Session, config: Config, row: LearnedVersionRow, asked: Asked) -> None:
    """Look at everything that promotion needs.

    Raises:
        MayNotBePromoted: something is missing.
        Tampered: its files were changed.
    """
    base = installed(session, config, row.model)
    if row.base != base.digest:
        raise MayNotBePromoted(row, str(OtherBase(row, base.digest)))
    require_intact(config.node.state / row.folder, row.model, row.digest)
    _require_judged(session, row, asked)
    _require_shadowed(session, row)
    current = answers_for(session, row.model, row.scope, base)
    if current == row.digest:
        raise MayNotBePromoted(row, "it is in use already")
    if current != row.parent:
        raise MayNotBePromoted(
            row, f"it was compared with {row.parent[:12]}, and {current[:12]} is in use now: make a new candidate"
        )


def _require_judged(session: Session, row: LearnedVersionRow, asked: Asked) -> None:
    judged = last_judgement(session, row.digest)
    if judged is None:
        raise MayNotBePromoted(row, "the gate has not judged it")
    rules = judged.details.get("rules")
    if not isinstance(rules, dict) or rules.get("G0") is not True:
        raise MayNotBePromoted(row, "its files or its base did not hold up (rule G0), which nobody overrides")
    if row.verdict != Verdict.PROMOTE and not asked.research:
        raise MayNotBePromoted(row, f"the gate's verdict is {row.verdict}; for research alone: --research")
    if not asked.research and (marks := _marks(session, row.digest)):
        raise MayNotBePromoted(row, f"this became known since its verdict: {marks}; for research alone: --research")


def _marks(session: Session, digest: str) -> str:
    """What speaks against the looks that a verdict rests on; that a patient was forgotten does not."""
    marked = session.scalars(select(LookRow.marked).where(LookRow.candidate == digest)).all()
    found = [mark for marks in marked for mark in marks.split("; ") if mark and not mark.endswith(FORGOTTEN)]
    return "; ".join(dict.fromkeys(found))


def _require_shadowed(session: Session, row: LearnedVersionRow) -> None:
    so_far = period(session, row.digest)
    if so_far is None:
        raise MayNotBePromoted(row, f"it had no shadow period: `dicomnode models shadow {row.model} --start VERSION`")
    if so_far.row.ended_s is None:
        raise MayNotBePromoted(row, so_far.words(time.time()))
    if so_far.was_cut_short and so_far.compared:
        again = f"`dicomnode models shadow {row.model} --start VERSION` begins it anew"
        raise MayNotBePromoted(row, f"{so_far.words(time.time())}; {again}")
    if not so_far.compared:
        raise MayNotBePromoted(row, "its shadow period ended before a single study was compared")


def last_judgement(session: Session, digest: str) -> DecisionRow | None:
    """What the gate last said of a version."""
    query = select(DecisionRow).filter_by(digest=digest, what="judged").order_by(DecisionRow.number.desc()).limit(1)
    return session.scalars(query).first()


def _point(session: Session, config: Config, row: LearnedVersionRow, asked: Asked) -> None:
    research = row.verdict != Verdict.PROMOTE or bool(_marks(session, row.digest))
    before = session.get(LearnedVersionRow, row.parent)
    if before is not None and before.scope == row.scope:
        before.state = "former"
    row.state, row.research = "in use", research
    folder = config.node.state / row.folder
    record_approval(session, ModelVersion(row.model, row.version, row.digest, device_uid(row.digest), folder), asked.by)
    session.merge(
        InUseRow(
            model=row.model,
            scope=row.scope,
            digest=row.digest,
            previous=row.parent,
            since_s=time.time(),
            by=asked.by,
        )
    )
    details = {"scope": row.scope, "verdict": row.verdict, "research": research, "previous": row.parent}
    record(session, "promoted", model=row.model, digest=row.digest, by=asked.by, reason=asked.reason, details=details)
