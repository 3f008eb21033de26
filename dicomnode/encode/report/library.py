"""Image library (TID 1600) and evidence: every instance that was read, listed once."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes

from dicomnode.encode.concepts import MILLIMETRE
from dicomnode.values import Header, Instance

CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT
CONTAINS = RelationshipTypeValues.CONTAINS
SOURCE = CodedConcept("260753009", "SCT", "Source")
PIXELS = CodedConcept("{pixels}", "UCUM", "Pixels")
COSINE = CodedConcept("{-1:1}", "UCUM", "{-1:1}")

MODALITIES = {
    "CR": "Computed Radiography",
    "CT": "Computed Tomography",
    "DX": "Digital Radiography",
    "MG": "Mammography",
    "MR": "Magnetic Resonance",
    "NM": "Nuclear Medicine",
    "PT": "Positron emission tomography",
    "US": "Ultrasound",
    "XA": "X-Ray Angiography",
}
"""Code meanings of the modalities that a volume is built from (CID 29)."""

SHARED_NUMBERS = (
    (codes.DCM.PixelDataRows, "Rows", 0, PIXELS),
    (codes.DCM.PixelDataColumns, "Columns", 0, PIXELS),
    (codes.DCM.HorizontalPixelSpacing, "PixelSpacing", 1, MILLIMETRE),
    (codes.DCM.VerticalPixelSpacing, "PixelSpacing", 0, MILLIMETRE),
    (codes.DCM.SliceThickness, "SliceThickness", 0, MILLIMETRE),
    (codes.DCM.ImageOrientationPatientRowX, "ImageOrientationPatient", 0, COSINE),
    (codes.DCM.ImageOrientationPatientRowY, "ImageOrientationPatient", 1, COSINE),
    (codes.DCM.ImageOrientationPatientRowZ, "ImageOrientationPatient", 2, COSINE),
    (codes.DCM.ImageOrientationPatientColumnX, "ImageOrientationPatient", 3, COSINE),
    (codes.DCM.ImageOrientationPatientColumnY, "ImageOrientationPatient", 4, COSINE),
    (codes.DCM.ImageOrientationPatientColumnZ, "ImageOrientationPatient", 5, COSINE),
)
"""What the images of a group share: concept, keyword, which value, unit (TID 1602, 1604)."""

POSITIONS = (
    codes.DCM.ImagePositionPatientX,
    codes.DCM.ImagePositionPatientY,
    codes.DCM.ImagePositionPatientZ,
)

Shared = tuple[str, ...]


def image_library(instances: Sequence[Instance]) -> ContainerContentItem:
    """The library of these images, those that share their geometry in one group."""
    library = ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=CONTAINS)
    library.ContentSequence = ContentSequence(
        [_group(list(images)) for _, images in groupby(sorted(instances, key=_shared), key=_shared)]
    )
    return library


def evidence_of(instances: Iterable[Instance]) -> list[Dataset]:
    """The instances as highdicom takes evidence: by their UIDs."""
    return [_evidence(instance) for instance in instances]


def _evidence(instance: Instance) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID = instance.study_uid, instance.series_uid
    item.SOPClassUID, item.SOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    return item


def _shared(instance: Instance) -> Shared:
    header = instance.header
    keywords = ("Modality", "FrameOfReferenceUID", *dict.fromkeys(row[1] for row in SHARED_NUMBERS))
    return (instance.series_uid, *(header.text(keyword) for keyword in keywords))


def _group(instances: Sequence[Instance]) -> ContainerContentItem:
    group = ContainerContentItem(name=codes.DCM.ImageLibraryGroup, relationship_type=CONTAINS)
    group.ContentSequence = ContentSequence(
        [*_descriptors(instances[0].header), *(_entry(instance) for instance in instances)]
    )
    return group


def _descriptors(header: Header) -> Iterator[Dataset]:
    modality = header.text("Modality")
    if modality in MODALITIES:
        value = CodedConcept(modality, "DCM", MODALITIES[modality])
        yield CodeContentItem(name=codes.DCM.Modality, value=value, relationship_type=CONTEXT)
    if uid := header.text("FrameOfReferenceUID"):
        yield UIDRefContentItem(name=codes.DCM.FrameOfReferenceUID, value=uid, relationship_type=CONTEXT)
    for name, keyword, position, unit in SHARED_NUMBERS:
        numbers = header.numbers(keyword)
        if position < len(numbers):
            yield NumContentItem(name=name, value=numbers[position], unit=unit, relationship_type=CONTEXT)


def _entry(instance: Instance) -> ImageContentItem:
    entry = ImageContentItem(
        name=SOURCE,
        referenced_sop_class_uid=instance.sop_class_uid,
        referenced_sop_instance_uid=instance.sop_instance_uid,
        relationship_type=CONTAINS,
    )
    position = instance.header.numbers("ImagePositionPatient")
    if len(position) == len(POSITIONS):
        entry.ContentSequence = ContentSequence(
            NumContentItem(name=name, value=value, unit=MILLIMETRE, relationship_type=CONTEXT)
            for name, value in zip(POSITIONS, position, strict=True)
        )
    return entry
