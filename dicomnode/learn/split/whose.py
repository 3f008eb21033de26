"""Whose a study is: what its images say of the patient, read from one of them."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import IdentityFault
from dicomnode.index.element_text import element_text, encodings_of
from dicomnode.index.headers import items_of
from dicomnode.index.schema import InstanceRow, StudyRow

PATIENT_ID, ISSUER, ENTITY, CHARACTER_SET = 0x00100020, 0x00100021, 0x00400032, 0x00080005
WANTED = [CHARACTER_SET, PATIENT_ID, ISSUER, 0x00100024, 0x00101002]


class Unidentified(IdentityFault):
    """It cannot be told whose a study is."""


@dataclass(frozen=True)
class Identity:
    """One Patient ID with its issuer; it never leaves the process that read it."""

    issuer: str
    patient_id: str


def identity_of(session: Session, state: Path, study_key: int) -> tuple[Identity, tuple[Identity, ...]]:
    """Whose a study is, and the other IDs that its images give the same patient.

    The study's row says the ID, since a person may have settled it; the images say the issuer.

    Raises:
        Unidentified: the study is held, or has no image here.
    """
    study = session.get(StudyRow, study_key)
    if study is None or study.state == "held":
        raise Unidentified("a person must first settle whose this study is")
    row = session.scalars(
        select(InstanceRow)
        .where(InstanceRow.study_key == study_key, InstanceRow.current, InstanceRow.own_result.is_(False))
        .order_by(InstanceRow.patient_id != study.patient_id, InstanceRow.sop_instance_uid)
    ).first()
    if row is None:
        raise Unidentified("no image of this study is here any more")
    dataset = dcmread(state / row.file, specific_tags=WANTED, stop_before_pixels=True)
    return Identity(_issuer(dataset), study.patient_id), _others(dataset)


def _others(dataset: Dataset) -> tuple[Identity, ...]:
    """Of Other Patient IDs Sequence (0010,1002)."""
    items = items_of(dataset, "OtherPatientIDsSequence")
    found = (Identity(_issuer(item), element_text(item, PATIENT_ID, encodings_of(dataset))) for item in items)
    return tuple(one for one in found if one.patient_id)


def _issuer(dataset: Dataset) -> str:
    """Issuer of Patient ID, else the Universal Entity ID that qualifies it (PS3.3 10.14)."""
    if name := element_text(dataset, ISSUER, encodings_of(dataset)):
        return name
    qualifiers = items_of(dataset, "IssuerOfPatientIDQualifiersSequence")
    return next((text for item in qualifiers if (text := element_text(item, ENTITY, ["ascii"]))), "")
