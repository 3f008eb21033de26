"""What the demo's images share: a made-up patient, UIDs that follow from a name, and where the pixels come from.

They are honest DICOM: derived, de-identified, attributed; what their source does not say is left empty, and what
the standard demands all the same is named as a placeholder in Image Comments.
"""

import uuid
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicomnode import __version__

MADE_ON = "20260101"
"""Date of every demo image: the sources give none."""


@dataclass(frozen=True)
class Origin:
    """Whose image it is, in made-up words, and where it comes from."""

    name: str
    """Of the case; every UID follows from it."""
    family: str
    """Second part of the Patient's Name: "Hippocampus", "Chest"."""
    number: str
    """Third part of the Patient's Name."""
    study_description: str
    comments: str
    """Attribution, licence, and what is a placeholder."""
    deidentified_by: str
    """Who removed the patient's identity."""


def uid_of(*names: str) -> UID:
    """The UID that follows from these names (PS3.5 B.2: 2.25 and a UUID as one integer)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(('dicomnode.demo', *names))).int}")


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def demo_image(origin: Origin, sop_class_uid: str, modality: str, *, instance_number: int = 1) -> Dataset:
    """An image without pixels: patient, study, series, equipment and derivation are filled in."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = sop_class_uid
    image.SOPInstanceUID = uid_of(origin.name, modality, str(instance_number))
    image.Modality, image.InstanceNumber = modality, instance_number
    _add_patient_and_study(image, origin)
    _add_series(image, origin)
    _add_derivation(image, origin)
    return image


def _add_patient_and_study(image: Dataset, origin: Origin) -> None:
    image.PatientName = f"Demo^{origin.family}^{origin.number}"
    image.PatientID = f"DEMO-{origin.family.upper()}-{origin.number}"
    image.PatientBirthDate = image.PatientSex = ""
    image.PatientIdentityRemoved, image.DeidentificationMethod = "YES", origin.deidentified_by
    image.StudyInstanceUID = uid_of(origin.name, "study")
    image.StudyDate, image.StudyTime, image.StudyID = MADE_ON, "120000", "1"
    image.AccessionNumber = f"DEMO{origin.number}"[:16]
    image.ReferringPhysicianName, image.StudyDescription = "", origin.study_description


def _add_series(image: Dataset, origin: Origin) -> None:
    image.SeriesInstanceUID = uid_of(origin.name, "series")
    image.SeriesNumber, image.SeriesDate, image.SeriesTime = 1, MADE_ON, "120000"
    image.ContentDate, image.ContentTime = MADE_ON, "120000"
    image.SeriesDescription = origin.study_description
    image.Manufacturer, image.ManufacturerModelName = "", ""


def _add_derivation(image: Dataset, origin: Origin) -> None:
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.ImageComments = origin.comments
    converter = Dataset()
    converter.PurposeOfReferenceCodeSequence = Items([code_item("109103", "DCM", "Modifying Equipment")])
    converter.Manufacturer, converter.ManufacturerModelName = "dicomnode", "demo converter"
    converter.SoftwareVersions = __version__
    image.ContributingEquipmentSequence = Items([converter])
