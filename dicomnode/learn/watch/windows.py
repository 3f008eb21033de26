"""What inference left in the index of one version: its frozen first window, and the last days."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from dicomnode.config.learning import Watch
from dicomnode.index.database import in_parts
from dicomnode.index.learning import EmbeddingRow, LabelRow
from dicomnode.index.schema import InstanceRow, RunInstanceRow, RunRow
from dicomnode.learn.values import LabelState, Source, What
from dicomnode.summary import ABOVE
from dicomnode.values import Header, RunStatus

OUTSIDE = "outside the evaluated domain"
"""Key of `summary_of` for a study that was not answered."""
WITHHELD = "no probability"
ANSWERED = (RunStatus.DELIVERING, RunStatus.DONE)
NUMBER = re.compile(r"(\d+(?:\.\d+)?) ?(%|ml)")
SHARES = {"under 1 %": 0.005, "over 99 %": 0.995}


@dataclass(frozen=True)
class Seen:
    """One study as a version saw it."""

    study_key: int
    header: Header
    outputs: dict[str, float]
    """Finding or segment to its probability, its volume in ml, or its highest lesion probability."""
    positive: dict[str, bool]
    """Finding to whether it was told."""
    outside: bool
    """Of the evaluated domain."""
    withheld: bool
    """Inside it, and still no answer."""
    embedding: tuple[float, ...] = ()
    corrected: bool | None = None
    """Whether a reader's label speaks against the answer; None where there is no label."""


@dataclass(frozen=True)
class Windows:
    """The two windows of one version."""

    model: str
    digest: str
    before: tuple[Seen, ...] = field(default=())
    now: tuple[Seen, ...] = field(default=())


def windows(session: Session, model: str, watch: Watch, findings: dict[int, str], now_s: float) -> Windows | None:
    """The windows of the version that answered most often in the last days; None where none did.

    Args:
        session: open.
        model: name of the bundle.
        watch: how many studies and days.
        findings: name of each output as a summary says it.
        now_s: end of the last days.
    """
    recent_s = now_s - watch.days * 86400.0
    ours = (RunRow.model == model, RunRow.shadow.is_(False), RunRow.status.in_(ANSWERED))
    count = func.count().label("runs")
    often = select(RunRow.model_digest, count).where(*ours, RunRow.created_s >= recent_s).group_by(RunRow.model_digest)
    digest = session.execute(often.order_by(count.desc())).first()
    if digest is None:
        return None
    mine = (*ours, RunRow.model_digest == digest[0], RunRow.revision == 1)
    first = _runs(session, *mine, limit=watch.reference_studies)
    frozen = {run.run_key for run in first}
    recent = [run for run in _runs(session, *mine, RunRow.created_s >= recent_s) if run.run_key not in frozen]
    return Windows(model, digest[0], _seen(session, first, model, findings), _seen(session, recent, model, findings))


def _runs(session: Session, *where: ColumnElement[bool], limit: int | None = None) -> Sequence[RunRow]:
    return session.scalars(select(RunRow).where(*where).order_by(RunRow.created_s, RunRow.run_key).limit(limit)).all()


def _seen(session: Session, runs: Sequence[RunRow], model: str, findings: dict[int, str]) -> tuple[Seen, ...]:
    keys = [run.run_key for run in runs]
    headers, embeddings = _headers(session, keys), _embeddings(session, keys)
    labels = _labels(session, model, [run.study_key for run in runs], findings)
    return tuple(
        _one(run, headers.get(run.run_key, Header({})), embeddings.get(run.run_key, ()), labels.get(run.study_key, {}))
        for run in runs
    )


def _one(run: RunRow, header: Header, embedding: tuple[float, ...], labels: dict[str, bool]) -> Seen:
    summary = {name: str(said) for name, said in run.summary.items()}
    outside = OUTSIDE in summary
    told = {name: said for name, said in summary.items() if name != OUTSIDE}
    positive = {name: _is_positive(said) for name, said in told.items() if said != WITHHELD}
    both = [labels[name] != found for name, found in positive.items() if name in labels]
    return Seen(
        study_key=run.study_key,
        header=header,
        outputs={name: number for name, said in told.items() if (number := _number(said)) is not None},
        positive=positive,
        outside=outside,
        withheld=not outside and WITHHELD in told.values(),
        embedding=embedding,
        corrected=any(both) if both else None,
    )


def _number(said: str) -> float | None:
    """A probability 0 to 1, millilitres, or of lesions the highest probability; 0 where there is none."""
    for words, share in SHARES.items():
        if words in said.partition("(")[0]:
            return share
    if said == "none":
        return 0.0
    match = NUMBER.search(said)
    if match is None:
        return None
    return float(match[1]) / 100 if match[2] == "%" else float(match[1])


def _is_positive(said: str) -> bool:
    if "threshold of" in said:
        return ABOVE in said
    return said not in ("none", "0.00 ml")


def _headers(session: Session, run_keys: Sequence[str]) -> dict[str, Header]:
    """Of the first instance of each run."""
    found: dict[str, Header] = {}
    for some in in_parts(run_keys):
        first = (
            select(RunInstanceRow.run_key, func.min(RunInstanceRow.instance_key).label("instance_key"))
            .where(RunInstanceRow.run_key.in_(some))
            .group_by(RunInstanceRow.run_key)
            .subquery()
        )
        query = select(first.c.run_key, InstanceRow.header).join(
            InstanceRow, InstanceRow.instance_key == first.c.instance_key
        )
        found |= {run_key: Header(dict(values)) for run_key, values in session.execute(query)}
    return found


def _embeddings(session: Session, run_keys: Sequence[str]) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for some in in_parts(run_keys):
        query = select(EmbeddingRow).where(EmbeddingRow.run_key.in_(some))
        found |= {row.run_key: tuple(row.numbers) for row in session.scalars(query)}
    return found


def _labels(
    session: Session, model: str, study_keys: Sequence[int], findings: dict[int, str]
) -> dict[int, dict[str, bool]]:
    """What readers said, by study and finding; report text is no correction of an answer."""
    found: dict[int, dict[str, bool]] = {}
    for some in in_parts(study_keys):
        query = select(LabelRow).where(
            LabelRow.study_key.in_(some),
            LabelRow.model == model,
            LabelRow.state == LabelState.ATTACHED,
            LabelRow.what == What.PRESENCE,
            LabelRow.source != Source.REPORT,
            LabelRow.value.is_not(None),
        )
        for row in session.scalars(query.order_by(LabelRow.made_s)):
            if row.study_key is not None and row.output in findings:
                found.setdefault(row.study_key, {})[findings[row.output]] = row.value == 1.0
    return found
