"""Whose labels they are, by key alone; and patients who want no part in it."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydicom import Dataset, dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.element_text import MALFORMED, element_text, encodings_of
from dicomnode.index.learning import LabelRow, PatientRow
from dicomnode.index.schema import InstanceRow, StudyRow
from dicomnode.learn.split.keys import NoPatientId, patient_key, require_split_key, same_id
from dicomnode.learn.split.patients import InIndex, entered

PATIENT_ID, ISSUER, CHARACTER_SET = 0x00100020, 0x00100021, 0x00080005
NOBODY = "-"
"""Stands where a study names no patient: its labels are never used."""


def key_patients(session: Session, state: Path, since_s: float) -> int:
    """Give the key of their patient to labels that lack it, and to those whose study came again since; how many.

    A study whose patient is asked just now keeps the key that it had.
    """
    attached = select(LabelRow).join(StudyRow, StudyRow.study_key == LabelRow.study_key)
    attached = attached.where(StudyRow.state != "held")
    changed = (StudyRow.last_received_s >= since_s) & (StudyRow.last_received_s > LabelRow.at_s)
    rows = session.scalars(attached.where((LabelRow.patient == "") | changed)).all()
    by_study: dict[int, list[LabelRow]] = {}
    for row in rows:
        by_study.setdefault(row.study_key or 0, []).append(row)
    return sum(_keyed(session, state, study_key, labels) for study_key, labels in by_study.items())


def study_patient(session: Session, state: Path, study_key: int) -> str:
    """Key of a study's patient.

    Raises:
        NoPatientId: the study names none.
    """
    study = session.get_one(StudyRow, study_key)
    secret = require_split_key(session, state)
    return patient_key(secret, issuer_of(session, state, study_key), study.patient_id)


def issuer_of(session: Session, state: Path, study_key: int) -> str:
    """Issuer of Patient ID (0010,0021) as a current image of the study says; empty where none does."""
    query = select(InstanceRow.file).where(
        InstanceRow.study_key == study_key, InstanceRow.current, InstanceRow.own_result.is_(False)
    )
    file = session.scalar(query.order_by(InstanceRow.instance_key).limit(1))
    if file is None:
        return ""
    try:
        header = dcmread(state / file, specific_tags=[CHARACTER_SET, ISSUER], stop_before_pixels=True)
    except MALFORMED:
        return ""
    return ids_in(header, encodings_of(header))[0]


def ids_in(dataset: Dataset, encodings: list[str]) -> tuple[str, str]:
    """Issuer and Patient ID as a dataset, or an item of Other Patient IDs Sequence, says them: what a key is made of.

    Args:
        dataset: as read.
        encodings: of the whole dataset (PS3.5 6.1.2).
    """
    return element_text(dataset, ISSUER, encodings), element_text(dataset, PATIENT_ID, encodings)


def opt_out(session: Session, state: Path, *, study_uid: str = "", patient_id: str = "", issuer: str = "") -> str:
    """Exclude a patient from learning for ever, by one of its studies or by its ID; the key.

    An ID counts under any issuer, since some systems leave the issuer out: rather one too many than one too few.

    Raises:
        ConfigFault: there is no such study, or neither is given.
        NoPatientId: the study names no patient.
    """
    if bool(study_uid) == bool(patient_id):
        raise ConfigFault("give either a Study Instance UID or --patient-id")
    key = _key_of(session, state, study_uid) if study_uid else _key_by_id(session, state, issuer, patient_id)
    row = entered(InIndex(session), require_split_key(session, state), key, time.time())
    row.opted_out_s = row.opted_out_s or time.time()
    session.flush()
    return key


def opted_out(session: Session, patients: Iterable[str]) -> set[str]:
    """Which of these patients are excluded: opted out themselves, merged with one who did, or of the same ID."""
    rows = session.scalars(select(PatientRow)).all()
    into = {row.patient: row.merged_into for row in rows if row.merged_into}
    out = {_end(into, row.patient) for row in rows if row.opted_out_s is not None}
    ids = {same_id(one) for row in rows if _end(into, row.patient) in out for one in (row.patient, *out)}
    return {patient for patient in patients if {same_id(patient), same_id(_end(into, patient))} & ids}


def _keyed(session: Session, state: Path, study_key: int, labels: list[LabelRow]) -> int:
    try:
        key = study_patient(session, state, study_key)
    except NoPatientId:
        key = NOBODY
    changed = [row for row in labels if row.patient != key]
    for row in changed:
        row.patient = key
    return len(changed)


def _key_of(session: Session, state: Path, study_uid: str) -> str:
    study = session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid)).first()
    if study is None:
        raise ConfigFault(f"there is no study {study_uid}: `dicomnode studies`, or give --patient-id")
    return study_patient(session, state, study.study_key)


def _key_by_id(session: Session, state: Path, issuer: str, patient_id: str) -> str:
    return patient_key(require_split_key(session, state), issuer, patient_id)


def _end(into: Mapping[str, str], patient: str) -> str:
    """The patient that one was merged into, at the end of any chain."""
    seen = {patient}
    while (following := into.get(patient)) and following not in seen:
        seen.add(following)
        patient = following
    return patient
