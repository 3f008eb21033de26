"""An object that says whose it is and who made it, and nothing else yet: for IODs that we write ourselves."""

from highdicom.base import SOPClass
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ImplicitVRLittleEndian

from dicomnode.encode.context import Context
from dicomnode.encode.equipment import identity
from dicomnode.values import Role


def blank(context: Context, role: Role, sop_class_uid: str, modality: str) -> Dataset:
    """Patient, study, series, equipment and SOP common modules of an object of ours, in implicit VR.

    Implicit VR, which every peer takes: explicit VR has no room for a line of more than 64 KiB of coordinates.
    """
    source, made_by = context.source, identity(context, role)
    equipment, _, _ = (made_by.pop(key) for key in ("contributing_equipment", "content_date", "content_time"))
    dataset: Dataset = SOPClass(
        study_instance_uid=source.StudyInstanceUID,
        sop_class_uid=sop_class_uid,
        modality=modality,
        transfer_syntax_uid=ImplicitVRLittleEndian,
        referring_physician_name=source.ReferringPhysicianName,
        specific_character_set=source.SpecificCharacterSet,
        **made_by,
    )
    dataset.copy_patient_and_study_information(source)
    dataset.ContributingEquipmentSequence = Items(equipment)
    return dataset
