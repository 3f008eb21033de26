"""Where the patients of labelled studies stand: assigned once, followed through merges and changed Patient IDs."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.database import BETWEEN_S, Index, in_parts
from dicomnode.index.element_text import MALFORMED, encodings_of
from dicomnode.index.headers import items_of
from dicomnode.index.learning import TrainingItemRow
from dicomnode.index.schema import InstanceRow
from dicomnode.learn.harvest.patients import CHARACTER_SET, ids_in
from dicomnode.learn.sets.drafts import Labelled, Standing
from dicomnode.learn.split.keys import patient_key
from dicomnode.learn.split.merge import OneAlready, bind, merge, standing
from dicomnode.learn.split.patients import InIndex, entered
from dicomnode.learn.split.seal import splits_of

AT_ONCE = 200
"""Patients in one transaction: the receiver must not wait long."""
OTHERS = 0x00101002


def standings_of(
    index: Index, state: Path, secret: bytes, model: str, labels: Sequence[Labelled]
) -> dict[str, Standing]:
    """By patient key: where each stands for a model; those who want no part in it are missing."""
    keys = list(dict.fromkeys(one.patient for one in labels))
    for number, some in enumerate(in_parts(keys, AT_ONCE)):
        time.sleep(BETWEEN_S if number else 0.0)
        with index.transaction() as session:
            for key in some:
                entered(InIndex(session), secret, key, time.time())
    _follow_changes(index, state, secret, labels)
    with index.snapshot() as session:
        rows = {key: row for key in keys if (row := standing(session, key)) is not None}
        splits = splits_of(session, model, {row.patient for row in rows.values()})
        return {
            key: Standing(row.patient, splits[row.patient], row.trained)
            for key, row in rows.items()
            if row.opted_out_s is None and row.forgotten_s is None
        }


def _follow_changes(index: Index, state: Path, secret: bytes, labels: Sequence[Labelled]) -> None:
    """Bind patients whose studies were used under another, and merge those whom an image itself says to be one."""
    with index.snapshot() as session:
        moved = [(old, one.patient) for one in labels for old in _used_under(session, one)]
        same = [(old, one.patient) for one in labels for old in _other_keys(session, state, secret, one)]
    for old, new in moved:
        with index.transaction() as session:
            bind(session, secret, old, new, time.time())
    for old, new in same:
        with index.transaction() as session:
            _merge_known(session, secret, old, new)


def _used_under(session: Session, labelled: Labelled) -> Iterator[str]:
    """Other patients under whom the study stood in a training set."""
    current = standing(session, labelled.patient)
    known = session.scalars(
        select(TrainingItemRow.patient).where(TrainingItemRow.study_key == labelled.study_key).distinct()
    )
    for patient in known.all():
        row = standing(session, patient)
        if row is not None and current is not None and row.patient != current.patient:
            yield row.patient


def _other_keys(session: Session, state: Path, secret: bytes, labelled: Labelled) -> Iterator[str]:
    """Keys of Other Patient IDs Sequence (0010,1002) of one of the study's images."""
    file = session.scalar(
        select(InstanceRow.file)
        .where(InstanceRow.study_key == labelled.study_key, InstanceRow.current, InstanceRow.own_result.is_(False))
        .order_by(InstanceRow.instance_key)
        .limit(1)
    )
    for issuer, patient_id in _other_ids(state / file) if file else ():
        yield patient_key(secret, issuer, patient_id)


def _other_ids(file: Path) -> list[tuple[str, str]]:
    try:
        dataset = dcmread(file, specific_tags=[CHARACTER_SET, OTHERS], stop_before_pixels=True)
    except MALFORMED:
        return []
    encodings = encodings_of(dataset)
    found = [ids_in(item, encodings) for item in items_of(dataset, "OtherPatientIDsSequence")]
    return [(issuer, patient_id) for issuer, patient_id in found if patient_id]


def _merge_known(session: Session, secret: bytes, old: str, new: str) -> None:
    """Merge, where the other ID is a patient of ours: a placeholder that many images share merges nobody."""
    if standing(session, old) is None:
        return
    try:
        merge(session, secret, old, new, time.time())
    except OneAlready:
        return
