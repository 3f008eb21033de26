"""Mandatory attributes: type 1 with a value, type 2 at least present."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.values import Role

COMMON_1 = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "Manufacturer",
            "SpecificCharacterSet", "ContributingEquipmentSequence", "SeriesDescription", "InstanceNumber",
            "ContentDate", "ContentTime", "SeriesNumber", "ManufacturerModelName", "DeviceSerialNumber",
            "SoftwareVersions")  # fmt: skip
"""Type 1 in both objects, or asked for by us (PS3.3 C.7.1 to C.7.5, C.12.1)."""
COMMON_2 = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
            "AccessionNumber", "ReferringPhysicianName")  # fmt: skip
SR_1 = ("CompletionFlag", "VerificationFlag", "ValueType", "ConceptNameCodeSequence", "ContinuityOfContent",
        "ContentSequence", "ContentTemplateSequence", "CurrentRequestedProcedureEvidenceSequence")  # fmt: skip
"""PS3.3 C.17.2, C.17.3."""
SR_2 = ("ReferencedPerformedProcedureStepSequence", "PerformedProcedureCodeSequence")
SEG_1 = ("ImageType", "SegmentationType", "SegmentSequence", "ContentLabel", "FrameOfReferenceUID", "NumberOfFrames",
         "Rows", "Columns", "BitsAllocated", "PixelData", "SharedFunctionalGroupsSequence",
         "PerFrameFunctionalGroupsSequence", "DimensionIndexSequence", "ReferencedSeriesSequence")  # fmt: skip
"""PS3.3 C.8.20, C.7.6.16, C.7.6.17."""
SEG_2 = ("ContentDescription", "ContentCreatorName", "PositionReferenceIndicator")
KOS_1 = ("ValueType", "ConceptNameCodeSequence", "ContinuityOfContent", "ContentSequence", "ContentTemplateSequence",
         "CurrentRequestedProcedureEvidenceSequence")  # fmt: skip
"""PS3.3 C.17.6."""
KOS_2 = ("ReferencedPerformedProcedureStepSequence",)
PMAP_1 = ("ImageType", "ContentLabel", "ContentQualification", "FrameOfReferenceUID", "NumberOfFrames", "Rows",
          "Columns", "BitsAllocated", "SamplesPerPixel", "PhotometricInterpretation", "PixelPresentation",
          "FloatPixelData", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
          "DimensionIndexSequence", "DimensionOrganizationSequence", "ReferencedSeriesSequence",
          "BurnedInAnnotation", "RecognizableVisualFeatures", "LossyImageCompression",
          "PresentationLUTShape")  # fmt: skip
"""PS3.3 C.8.32, C.7.6.16, C.7.6.17, C.7.6.24."""
PMAP_2 = ("ContentDescription", "ContentCreatorName", "PositionReferenceIndicator", "AcquisitionContextSequence")
SEGMENT_1 = ("SegmentNumber", "SegmentLabel", "SegmentAlgorithmType", "SegmentAlgorithmName", "TrackingID",
             "TrackingUID", "SegmentedPropertyCategoryCodeSequence",
             "SegmentedPropertyTypeCodeSequence")  # fmt: skip
CODE_1 = ("CodingSchemeDesignator", "CodeMeaning")


@dataclass(frozen=True)
class Mandatory:
    """What the object of one role must have, besides what every one has."""

    sop_class_uids: tuple[str, ...]
    type_1: tuple[str, ...] = ()
    type_2: tuple[str, ...] = ()


COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
MANDATORY: dict[Role, Mandatory] = {
    Role.SEG: Mandatory(("1.2.840.10008.5.1.4.1.1.66.4",), SEG_1, SEG_2),
    Role.SR: Mandatory((COMPREHENSIVE_3D,), SR_1, SR_2),
    Role.SR_OHIF: Mandatory((COMPREHENSIVE_3D,), SR_1, SR_2),
    Role.KOS: Mandatory(("1.2.840.10008.5.1.4.1.1.88.59",), KOS_1, KOS_2),
    Role.PMAP: Mandatory(("1.2.840.10008.5.1.4.1.1.30",), PMAP_1, PMAP_2),
}
"""One line for each kind of object; one that is not here does not pass."""
LONGEST = {"LO": 64, "SH": 16, "CS": 16, "DS": 16}
"""Most characters of a value (PS3.5 6.2)."""


def attribute_faults(expected: Expected) -> Iterator[str]:
    """Mandatory attributes that are missing or empty, and values that are too long."""
    for one in expected.encoded:
        wanted = MANDATORY.get(one.role, Mandatory(()))
        if str(one.dataset.get("SOPClassUID")) not in wanted.sop_class_uids:
            yield f"{one.role}: SOP class {one.dataset.get('SOPClassUID')} is not the one of its role"
        yield from _missing(one.dataset, (*COMMON_1, *wanted.type_1), str(one.role))
        yield from (f"{one.role}: {k} is missing (type 2)" for k in (*COMMON_2, *wanted.type_2) if k not in one.dataset)
        yield from _code_faults(one.dataset, str(one.role))
        yield from _device_faults(one.dataset, expected.run.model.device_uid, str(one.role))
    for segment in (seg.get("SegmentSequence") or ()) if (seg := expected.of(Role.SEG)) else ():
        yield from _missing(segment, SEGMENT_1, f"SEG: segment {segment.get('SegmentNumber', '')}")


def _missing(dataset: Dataset, keywords: tuple[str, ...], place: str) -> Iterator[str]:
    for keyword in keywords:
        value = dataset.get(keyword)
        if value is None or (hasattr(value, "__len__") and len(value) == 0):
            yield f"{place}: {keyword} is missing or empty (type 1)"


def _code_faults(dataset: Dataset, place: str) -> Iterator[str]:
    for element in dataset.iterall():
        if element.keyword.endswith("CodeSequence") and element.VR == "SQ":
            for code in element.value:
                yield from _missing(code, CODE_1, f"{place}: {element.keyword}")
        elif element.VR in LONGEST and element.value is not None:
            values = element.value if element.VM > 1 else [element.value]
            if any(len(str(value)) > LONGEST[element.VR] for value in values):
                yield f"{place}: {element.keyword} is longer than {LONGEST[element.VR]} characters (PS3.5 6.2)"


def _device_faults(dataset: Dataset, device_uid: str, place: str) -> Iterator[str]:
    items = dataset.get("ContributingEquipmentSequence") or ()
    if not any(str(item.get("DeviceUID", "")) == device_uid for item in items):
        yield f"{place}: no contributing equipment has the Device UID {device_uid} of the model version"
