"""Image library (TID 1600) and evidence: every instance that was read, listed once.

Built of plain data sets: a library of a thousand images is made and checked by highdicom in seconds, so in tenths.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.valuerep import DS

from dicomnode.encode.concepts import MILLIMETRE
from dicomnode.values import Header, Instance

CONTEXT, CONTAINS = "HAS ACQ CONTEXT", "CONTAINS"
SOURCE = Code("260753009", "SCT", "Source")
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


def image_library(instances: Sequence[Instance]) -> Dataset:
    """The library of these images, those that share their geometry in one group."""
    ordered = groupby(sorted(instances, key=_shared), key=_shared)
    return _container(codes.DCM.ImageLibrary, [_group(list(images)) for _, images in ordered])


def evidence_of(instances: Iterable[Instance]) -> list[Dataset]:
    """The instances as highdicom takes evidence: by their UIDs."""
    return [_evidence(instance) for instance in instances]


def _evidence(instance: Instance) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID = instance.study_uid, instance.series_uid
    item.SOPClassUID, item.SOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    return item


def _shared(instance: Instance) -> tuple[str, ...]:
    header = instance.header
    keywords = ("Modality", "FrameOfReferenceUID", *dict.fromkeys(row[1] for row in SHARED_NUMBERS))
    return (instance.series_uid, *(header.text(keyword) for keyword in keywords))


def _group(instances: Sequence[Instance]) -> Dataset:
    items = [*_descriptors(instances[0].header), *(_entry(instance) for instance in instances)]
    return _container(codes.DCM.ImageLibraryGroup, items)


def _descriptors(header: Header) -> Iterator[Dataset]:
    """What the images of a group share (TID 1602, 1604)."""
    modality = header.text("Modality")
    if modality in MODALITIES:
        item = _item(CONTEXT, "CODE", codes.DCM.Modality)
        item.ConceptCodeSequence = [_concept(Code(modality, "DCM", MODALITIES[modality]))]
        yield item
    if uid := header.text("FrameOfReferenceUID"):
        item = _item(CONTEXT, "UIDREF", codes.DCM.FrameOfReferenceUID)
        item.UID = uid
        yield item
    for name, keyword, position, unit in SHARED_NUMBERS:
        numbers = header.numbers(keyword)
        if position < len(numbers):
            yield _number(name, numbers[position], unit)


def _entry(instance: Instance) -> Dataset:
    """One image, with its position where it has one (TID 1601)."""
    entry, reference = _item(CONTAINS, "IMAGE", SOURCE), Dataset()
    reference.ReferencedSOPClassUID = instance.sop_class_uid
    reference.ReferencedSOPInstanceUID = instance.sop_instance_uid
    entry.ReferencedSOPSequence = [reference]
    position = instance.header.numbers("ImagePositionPatient")
    if len(position) == len(POSITIONS):
        pairs = zip(POSITIONS, position, strict=True)
        entry.ContentSequence = [_number(name, value, MILLIMETRE) for name, value in pairs]
    return entry


def _container(name: Code, items: list[Dataset]) -> Dataset:
    container = _item(CONTAINS, "CONTAINER", name)
    container.ContinuityOfContent = "CONTINUOUS"
    container.ContentSequence = items
    return container


def _number(name: Code, value: float, unit: CodedConcept) -> Dataset:
    item, measured = _item(CONTEXT, "NUM", name), Dataset()
    measured.NumericValue = f"{value:.0f}" if value.is_integer() else DS(value, auto_format=True)
    measured.MeasurementUnitsCodeSequence = [unit]
    item.MeasuredValueSequence = [measured]
    return item


def _item(relationship: str, kind: str, name: Code) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relationship, kind
    item.ConceptNameCodeSequence = [_concept(name)]
    return item


@cache
def _concept(code: Code) -> CodedConcept:
    return CodedConcept(value=code.value, scheme_designator=code.scheme_designator, meaning=code.meaning)
