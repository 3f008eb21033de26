"""Rejection notes of a PACS: Key Object Selections that take images back (IHE RAD Imaging Object Change Management).

What a PACS rejects is no longer part of the study for us: the study is decided again without it, and results that were
made of it are withdrawn. The same images sent again are current again.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset, dcmread
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dicomnode.errors import NotDicom
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, RejectionRow, StudyRow
from dicomnode.values import REJECTIONS

log = structlog.get_logger()

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


@dataclass(frozen=True)
class Rejection:
    """What one note rejects."""

    code: str
    sop_instance_uids: tuple[str, ...]


def rejection_of(note: Dataset) -> Rejection | None:
    """What a Key Object Selection rejects; None where it is no rejection note.

    Source: IHE RAD TF-3 4.66.4.1; PS3.3 C.17.2, C.17.3.
    """
    title = (note.get("ConceptNameCodeSequence") or [Dataset()])[0]
    code = str(title.get("CodeValue", ""))
    if code not in REJECTIONS or title.get("CodingSchemeDesignator") != "DCM":
        return None
    uids = [
        str(item.ReferencedSOPInstanceUID)
        for study in note.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.get("ReferencedSeriesSequence") or ()
        for item in series.get("ReferencedSOPSequence") or ()
    ]
    return Rejection(code, tuple(dict.fromkeys(uids)))


def key_objects_to_read(session: Session, since_s: float) -> list[tuple[int, str]]:
    """Key Object Selections nobody has looked at, in studies that changed since: key, file below the state folder."""
    query = (
        select(InstanceRow.instance_key, InstanceRow.file)
        .join(StudyRow, StudyRow.study_key == InstanceRow.study_key)
        .outerjoin(RejectionRow, RejectionRow.instance_key == InstanceRow.instance_key)
        .where(
            StudyRow.last_received_s >= since_s,
            InstanceRow.sop_class_uid == KEY_OBJECTS,
            InstanceRow.own_result.is_(False),
            InstanceRow.current,
            RejectionRow.instance_key.is_(None),
        )
    )
    return [(key, file) for key, file in session.execute(query)]


def read_key_objects(index: Index, state: Path, since_s: float = 0.0) -> int:
    """Read every new Key Object Selection and do what the rejection notes among them ask; how many instances went."""
    with index.snapshot() as session:
        waiting = key_objects_to_read(session, since_s)
    return sum(_read(index, instance_key, state / file) for instance_key, file in waiting)


def _read(index: Index, instance_key: int, path: Path) -> int:
    try:
        rejection = rejection_of(dcmread(path))
    except (OSError, ValueError, AttributeError, NotDicom) as fault:
        log.error("rejection.unreadable", instance=instance_key, reason=type(fault).__name__)
        rejection = None
    with index.transaction() as session:
        return _apply(session, instance_key, rejection)


def _apply(session: Session, instance_key: int, rejection: Rejection | None) -> int:
    """Note that it was read; the instances it rejects, of its own study alone, are no longer current."""
    study_key = session.get_one(InstanceRow, instance_key).study_key
    gone = _take_out(session, study_key, rejection) if rejection else 0
    code = rejection.code if rejection else ""
    session.add(
        RejectionRow(
            instance_key=instance_key,
            study_key=study_key,
            code=code,
            meaning=REJECTIONS.get(code, ""),
            instances=gone,
            at_s=time.time(),
        )
    )
    if gone:
        log.warning("study.rejected", study=study_key, instances=gone, reason=REJECTIONS[code])
        study = session.get_one(StudyRow, study_key)
        study.last_received_s = time.time()
        if study.state in ("decided", "parked"):
            study.state, study.reason = "receiving", ""
    return gone


def _take_out(session: Session, study_key: int, rejection: Rejection) -> int:
    rejected = update(InstanceRow).where(
        InstanceRow.study_key == study_key,
        InstanceRow.sop_instance_uid.in_(rejection.sop_instance_uids),
        InstanceRow.own_result.is_(False),
        InstanceRow.current,
    )
    return int(session.connection().execute(rejected.values(current=False)).rowcount)
