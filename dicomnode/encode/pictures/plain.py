"""What a picture and a document share: patient, study, who made it, and the images that it is about."""

from typing import Any

from highdicom.base import SOPClass
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sequence import Sequence as Items

from dicomnode.encode.context import Context
from dicomnode.encode.equipment import identity, settle
from dicomnode.encode.pictures.view import views_of
from dicomnode.encode.source import UTF_8
from dicomnode.encode.told import Told
from dicomnode.values import Role

COPIED = ("PatientAge", "PatientSize", "PatientWeight", "StudyDescription")
"""Further attributes of patient and study that are the source's (PS3.3 C.7.2.2, C.7.2.1)."""
SOURCE_OF_PROCESSING = CodedConcept("121322", "DCM", "Source image for image processing operation")


def drawn_at_the_node(told: Told, role: Role, sop_class_uid: str, transfer_syntax_uid: str) -> Dataset:
    """An object of a series of its own, without what it shows: general modules, SC equipment, source images.

    Source: PS3.3 C.7.1.1, C.7.2.1, C.7.5.1, C.8.6.1, C.12.1.
    """
    context = told.context
    named = identity(context, role)
    contributing = named.pop("contributing_equipment")
    made: Dataset = SOPClass(
        sop_class_uid=sop_class_uid,
        modality="OT",
        transfer_syntax_uid=transfer_syntax_uid,
        **_patient_and_study(context),
        **named,
    )
    made.SpecificCharacterSet = UTF_8
    made.ContributingEquipmentSequence = Items(contributing)
    for keyword in COPIED:
        if keyword in context.source:
            made[keyword] = context.source[keyword]
    made.ConversionType = "WSD"
    settle(made, context)
    return made


def source_images(told: Told) -> Items:
    """The images that were read, each once (General Image, Encapsulated Document; PS3.3 C.7.6.1, C.24.2)."""
    return Items([_source(instance.sop_class_uid, instance.sop_instance_uid) for instance in told.context.instances])


def shown_images(told: Told) -> Items:
    """The images that the views show, with their frames; empty where there is no view."""
    found = Items()
    for view in views_of(told) if told.volume else ():
        frame = told.volume.frames[view.slice] if told.volume else None
        if frame and frame.sop_instance_uid not in {item.ReferencedSOPInstanceUID for item in found}:
            found.append(_source(frame.sop_class_uid, frame.sop_instance_uid))
    return found


def _source(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    item.PurposeOfReferenceCodeSequence = [SOURCE_OF_PROCESSING]
    return item


def _patient_and_study(context: Context) -> dict[str, Any]:
    source = context.source
    return {
        "study_instance_uid": source.StudyInstanceUID,
        "patient_id": source.PatientID,
        "patient_name": "",
        "patient_birth_date": source.PatientBirthDate,
        "patient_sex": source.PatientSex,
        "accession_number": source.AccessionNumber,
        "study_id": source.StudyID,
        "study_date": source.StudyDate,
        "study_time": source.StudyTime,
        "referring_physician_name": str(source.ReferringPhysicianName or ""),
    }
