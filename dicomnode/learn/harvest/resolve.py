"""What a training set is to use of a study's labels, and where they contradict one another."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import ChoiceRow, StudyRow
from dicomnode.learn.harvest.patients import NOBODY, opted_out
from dicomnode.learn.values import SOURCE_RANK, LabelState, Source, What


@dataclass(frozen=True)
class Resolved:
    """The labels of one study for one model, contradictions resolved."""

    study_key: int
    study_uid: str
    patient: str
    """Key; never of one who opted out."""
    values: dict[int, float | None]
    """By output: 1 present, 0 absent, None uncertain; an output nobody spoke of is missing."""
    mask: str
    """Path below the state folder of a label map on the source grid of `series_uid`; empty: none."""
    boxes: str
    """The same for boxes of lesions."""
    series_uid: str
    """That mask or boxes lie on."""
    weight: float
    """The least of those that contribute."""
    assisted: bool
    """The maker of one that contributes had seen our result."""
    source: Source
    """The lowest in rank of those that contribute."""
    who: tuple[str, ...]
    labels: tuple[int, ...]
    """Keys of the labels that contribute."""
    conflicts: int
    """Outputs on which labels contradict one another."""


@dataclass(frozen=True)
class Conflict:
    """Labels that contradict one another."""

    study_uid: str
    model: str
    output: int
    used: LabelRow
    overruled: tuple[LabelRow, ...]


def resolved(session: Session, model: str) -> list[Resolved]:
    """What is known of each study for a model, by study; opted-out, unknown and doubtful patients are left out."""
    by_study = _by_study(session, model)
    series = _chosen_series(session, model)
    return [_resolved(rows, series.get(key, "")) for key, rows in by_study.items()]


def conflicts(session: Session, model: str = "") -> list[Conflict]:
    """Every contradiction among labels in use: which is used, and which are not."""
    models = [model] if model else sorted(set(session.scalars(select(LabelRow.model))))
    by_study = [rows for name in models for rows in _by_study(session, name).values()]
    return [conflict for rows in by_study for conflict in _conflicts(rows)]


def best(rows: Iterable[LabelRow]) -> LabelRow:
    """Of labels on one thing the one that counts: by source rank, then the newest."""
    return min(rows, key=lambda row: (SOURCE_RANK[Source(row.source)], -row.made_s, -row.label_key))


def _by_study(session: Session, model: str) -> dict[int, list[LabelRow]]:
    query = select(LabelRow).join(StudyRow, StudyRow.study_key == LabelRow.study_key)
    query = query.where(
        LabelRow.model == model,
        LabelRow.state == LabelState.ATTACHED,
        StudyRow.state != "held",
        LabelRow.patient.not_in(("", NOBODY)),
    )
    rows = session.scalars(query.order_by(LabelRow.study_key, LabelRow.label_key)).all()
    out = opted_out(session, {row.patient for row in rows})
    found: dict[int, list[LabelRow]] = {}
    for row in rows:
        if row.patient not in out and row.study_key is not None:
            found.setdefault(row.study_key, []).append(row)
    return found


def _chosen_series(session: Session, model: str) -> dict[int, str]:
    query = select(ChoiceRow.study_key, ChoiceRow.series_uid).where(ChoiceRow.model == model)
    return {key: uid or "" for key, uid in session.execute(query)}


def _resolved(rows: list[LabelRow], chosen_series: str) -> Resolved:
    values = {output: best(said) for output, said in _spoken(rows).items()}
    masks, boxes = (_drawn(rows, what, chosen_series) for what in (What.MASK, What.BOXES))
    used = [*values.values(), *(row for row in (masks, boxes) if row is not None)]
    first, drawn = used[0], masks or boxes
    return Resolved(
        study_key=first.study_key or 0,
        study_uid=first.study_uid,
        patient=first.patient,
        values={output: row.value for output, row in sorted(values.items())},
        mask=masks.file if masks else "",
        boxes=boxes.file if boxes else "",
        series_uid=drawn.series_uid if drawn else "",
        weight=min(row.weight for row in used),
        assisted=any(row.assisted for row in used),
        source=max((Source(row.source) for row in used), key=SOURCE_RANK.__getitem__),
        who=tuple(dict.fromkeys(row.who for row in used)),
        labels=tuple(row.label_key for row in used),
        conflicts=len(_conflicts(rows)),
    )


def _spoken(rows: list[LabelRow]) -> dict[int, list[LabelRow]]:
    by_output: dict[int, list[LabelRow]] = {}
    for row in rows:
        if row.what == What.PRESENCE:
            by_output.setdefault(row.output, []).append(row)
    return by_output


def _drawn(rows: list[LabelRow], what: What, chosen_series: str) -> LabelRow | None:
    """The mask or boxes that count: on the series that the model takes, if any lie there."""
    drawn = [row for row in rows if row.what == what]
    there = [row for row in drawn if row.series_uid == chosen_series]
    return best(there or drawn) if drawn else None


def _conflicts(rows: list[LabelRow]) -> list[Conflict]:
    found = []
    for output, said in sorted(_spoken(rows).items()):
        used = best(said)
        overruled = tuple(row for row in said if row.value != used.value)
        if overruled:
            found.append(Conflict(used.study_uid, used.model, output, used, overruled))
    return found
