"""Studies read from the index."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from dicomnode.index.schema import InstanceRow, RunInstanceRow, SeriesRow, StudyRow
from dicomnode.values import Header, Instance, Series, Study


def load_study(session: Session, state: Path, study_key: int, run_key: str | None = None) -> Study:
    """The current instances of one study, our own results left out; or those that a run was made for.

    Series are ordered by their UIDs, instances by Instance Number and then UID, whatever order they came in.

    Raises:
        LookupError: no such study.
    """
    row = session.get(StudyRow, study_key)
    if row is None:
        raise LookupError(f"no study {study_key}")
    found: dict[str, list[Instance]] = {}
    wanted = _current(study_key) if run_key is None else _of_run(run_key)
    for instance, series in session.execute(wanted):
        found.setdefault(series.series_uid, []).append(_instance(state, row, series, instance))
    series_list = tuple(Series(uid, tuple(sorted(found[uid], key=_by_number))) for uid in sorted(found))
    return Study(study_key, row.study_uid, series_list)


def study_digest(study: Study) -> str:
    """Digest of what a study holds: its SOP Instance UIDs and their contents, in no order, hex."""
    return contents_digest(
        (instance.sop_instance_uid, instance.content_digest) for series in study.series for instance in series.instances
    )


def contents_digest(contents: Iterable[tuple[str, str]]) -> str:
    """Digest of (SOP Instance UID, content digest) pairs, in no order, hex."""
    digest = hashlib.sha256()
    for uid, content in sorted(contents):
        digest.update(f"{uid} {content}\n".encode())
    return digest.hexdigest()


def study_by_uid(session: Session, study_uid: str) -> StudyRow | None:
    """The row of a study."""
    return session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid)).first()


@dataclass(frozen=True)
class Filter:
    """Which studies to list; an empty field admits all."""

    state: str = ""
    patient_id: str = ""
    accession_number: str = ""
    modality: str = ""
    study_date: str = ""
    """YYYYMMDD, or its beginning."""
    since_s: float = 0.0
    """Received at or after."""
    limit: int = 50


@dataclass(frozen=True)
class Listed:
    """One line of a list of studies."""

    study: StudyRow
    modalities: tuple[str, ...]
    series: int
    instances: int


def list_studies(session: Session, which: Filter) -> list[Listed]:
    """Studies that fit, newest arrival first."""
    query = select(StudyRow).order_by(StudyRow.last_received_s.desc()).limit(which.limit)
    query = query.where(StudyRow.last_received_s >= which.since_s)
    for column, wanted in (
        (StudyRow.state, which.state),
        (StudyRow.patient_id, which.patient_id),
        (StudyRow.accession_number, which.accession_number),
    ):
        query = query.where(column == wanted) if wanted else query
    if which.study_date:
        query = query.where(StudyRow.study_date.startswith(which.study_date, autoescape=True))
    if which.modality:
        query = query.where(StudyRow.study_key.in_(_with_modality(which.modality)))
    return [_listed(session, study) for study in session.scalars(query).all()]


def series_of(session: Session, study_key: int) -> Sequence[tuple[SeriesRow, int]]:
    """The series of a study, each with the number of its current instances."""
    counted = (
        select(SeriesRow, func.count(InstanceRow.instance_key))
        .outerjoin(InstanceRow, (InstanceRow.series_key == SeriesRow.series_key) & InstanceRow.current)
        .where(SeriesRow.study_key == study_key)
        .group_by(SeriesRow.series_key)
        .order_by(SeriesRow.series_uid)
    )
    return list(session.execute(counted))


def received_counts(session: Session, study_key: int) -> dict[str, int]:
    """Current instances of each series UID, our own results left out."""
    counted = (
        select(SeriesRow.series_uid, func.count(InstanceRow.instance_key))
        .join(InstanceRow, InstanceRow.series_key == SeriesRow.series_key)
        .where(SeriesRow.study_key == study_key, InstanceRow.current, InstanceRow.own_result.is_(False))
        .group_by(SeriesRow.series_uid)
    )
    return dict(session.execute(counted).all())


def _current(study_key: int) -> Select[InstanceRow, SeriesRow]:
    return (
        select(InstanceRow, SeriesRow)
        .join(SeriesRow, SeriesRow.series_key == InstanceRow.series_key)
        .where(InstanceRow.study_key == study_key, InstanceRow.current, InstanceRow.own_result.is_(False))
    )


def _of_run(run_key: str) -> Select[InstanceRow, SeriesRow]:
    return (
        select(InstanceRow, SeriesRow)
        .join(SeriesRow, SeriesRow.series_key == InstanceRow.series_key)
        .join(RunInstanceRow, RunInstanceRow.instance_key == InstanceRow.instance_key)
        .where(RunInstanceRow.run_key == run_key)
    )


def _instance(state: Path, study: StudyRow, series: SeriesRow, row: InstanceRow) -> Instance:
    return Instance(
        instance_key=row.instance_key,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        series_uid=series.series_uid,
        study_uid=study.study_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        content_digest=row.content_digest,
        path=state / row.file,
        header=Header(row.header),
    )


def _by_number(instance: Instance) -> tuple[float, str]:
    numbers = instance.header.numbers("InstanceNumber")
    return (numbers[0] if numbers else 0.0, instance.sop_instance_uid)


def _with_modality(modality: str) -> Select[int]:
    return select(SeriesRow.study_key).where(SeriesRow.modality == modality)


def _listed(session: Session, study: StudyRow) -> Listed:
    found = series_of(session, study.study_key)
    modalities = tuple(sorted({row.modality for row, count in found if row.modality and count}))
    return Listed(study, modalities, sum(1 for _, count in found if count), sum(count for _, count in found))
