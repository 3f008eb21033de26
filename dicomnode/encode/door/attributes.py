"""Mandatory attributes at every depth: type 1 with a value, type 2 at least present, as PS3.3 says for each IOD."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import DataElement, Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.standard import Visited
from dicomnode.values import Role

COMMON_1 = ("Manufacturer", "SpecificCharacterSet", "ContributingEquipmentSequence", "SeriesDescription",
            "InstanceNumber", "SeriesNumber", "ManufacturerModelName", "DeviceSerialNumber",
            "SoftwareVersions")  # fmt: skip
"""Asked for by us in every object, whatever its IOD leaves open."""
SR_1 = ("ValueType", "ConceptNameCodeSequence", "ContentSequence", "ContentTemplateSequence",
        "CurrentRequestedProcedureEvidenceSequence", "ContentDate", "ContentTime")  # fmt: skip
"""PS3.3 C.17.2, C.17.3: conditional, and the condition holds for ours."""
FRAMES_1 = ("FrameOfReferenceUID", "PerFrameFunctionalGroupsSequence", "DimensionIndexSequence",
            "ReferencedSeriesSequence", "Rows", "Columns")  # fmt: skip
"""PS3.3 C.7.4.1, C.7.6.16, C.7.6.17, C.12.2: the same, for SEG and Parametric Map."""
FRAMES_2 = ("PositionReferenceIndicator",)
GSPS_1 = ("ReferencedSeriesSequence", "GraphicAnnotationSequence", "GraphicLayerSequence", "SoftcopyVOILUTSequence",
          "PresentationLUTShape")  # fmt: skip
"""PS3.3 C.11.11, C.10.5, C.10.7, C.11.6, C.11.8: the same."""
RTSTRUCT_1 = ("ReferencedFrameOfReferenceSequence", "FrameOfReferenceUID", "ApprovalStatus")
"""PS3.3 C.8.8.5, C.7.4.1, C.8.8.16: the same."""
WHERE_IT_STANDS: dict[str, tuple[str, ...]] = {
    "SegmentSequence": ("SegmentAlgorithmName", "TrackingID", "TrackingUID"),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "FrameContentSequence": ("DimensionIndexValues",),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth"),
    "GraphicAnnotationSequence": ("ReferencedImageSequence",),
    "GraphicObjectSequence": ("GraphicFilled",),
    "DerivationImageSequence": ("DerivationCodeSequence",),
    "DerivationImageSequence/SourceImageSequence": ("PurposeOfReferenceCodeSequence",),
    "DimensionIndexSequence": ("FunctionalGroupPointer",),
    "RealWorldValueMappingSequence": (
        "DoubleFloatRealWorldValueFirstValueMapped",
        "DoubleFloatRealWorldValueLastValueMapped",
    ),
}
"""Conditional in the standard, always there in ours: what each item of these sequences must have."""
PICTURE_1 = ("PixelData", "PlanarConfiguration", "ConversionType", "ContentDate", "ContentTime")
"""PS3.3 C.7.6.3, C.8.6.1: for a colour picture."""


@dataclass(frozen=True)
class Mandatory:
    """What the object of one role must have, besides what its IOD asks of every one."""

    sop_class_uids: tuple[str, ...]
    type_1: tuple[str, ...] = ()
    type_2: tuple[str, ...] = ()


MODALITY = {
    Role.SEG: "SEG",
    Role.SR: "SR",
    Role.SR_OHIF: "SR",
    Role.CAD_SR: "SR",
    Role.KOS: "KO",
    Role.GSPS: "PR",
    Role.PMAP: "OT",
    Role.SC: "OT",
    Role.PDF: "DOC",
    Role.RTSTRUCT: "RTSTRUCT",
}
"""Modality (0008,0060), where the kind of object fixes it."""
COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
CAD = ("1.2.840.10008.5.1.4.1.1.88.50", "1.2.840.10008.5.1.4.1.1.88.65")
MANDATORY: dict[Role, Mandatory] = {
    Role.SEG: Mandatory(("1.2.840.10008.5.1.4.1.1.66.4",), (*FRAMES_1, "PixelData"), FRAMES_2),
    Role.SR: Mandatory((COMPREHENSIVE_3D,), SR_1),
    Role.SR_OHIF: Mandatory((COMPREHENSIVE_3D,), SR_1),
    Role.CAD_SR: Mandatory(CAD, SR_1),
    Role.KOS: Mandatory(("1.2.840.10008.5.1.4.1.1.88.59",), SR_1),
    Role.GSPS: Mandatory(("1.2.840.10008.5.1.4.1.1.11.1",), GSPS_1),
    Role.RTSTRUCT: Mandatory(("1.2.840.10008.5.1.4.1.1.481.3",), RTSTRUCT_1, FRAMES_2),
    Role.PMAP: Mandatory(("1.2.840.10008.5.1.4.1.1.30",), (*FRAMES_1, "FloatPixelData"), FRAMES_2),
    Role.SC: Mandatory(("1.2.840.10008.5.1.4.1.1.7",), PICTURE_1),
    Role.PDF: Mandatory(("1.2.840.10008.5.1.4.1.1.104.1",), ("ContentDate", "EncapsulatedDocumentLength")),
}
"""One line for each kind of object; one that is not here does not pass."""
LONGEST = {"LO": 64, "SH": 16, "CS": 16, "DS": 16}
"""Most characters of a value (PS3.5 6.2)."""


HOW_MANY = {0x00200032: 3, 0x00200037: 6, 0x00280030: 2, 0x00181164: 2}
"""Numbers of Image Position, Image Orientation, Pixel Spacing and Imager Pixel Spacing."""
TOGETHER = (
    frozenset({0x00281052, 0x00281053, 0x00281054}),
    frozenset({0x00700003, 0x00700010, 0x00700011, 0x00700012}),
    frozenset({0x00700004, 0x00700014, 0x00700015}),
)
"""Attributes of which none stands alone: rescale; a text's bounding box; its anchor (PS3.3 C.11.1, C.10.5)."""
ONE_OF = {0x00080100: "CodeValue", 0x00080119: "LongCodeValue", 0x00080120: "URNCodeValue"}
"""Where a code stands (PS3.3 8.1)."""
URN = 0x00080120
CODE_MEANING = 0x00080104
CODED = {CODE_MEANING: "CodeMeaning"}


def attribute_faults(expected: Expected) -> Iterator[str]:
    """Mandatory attributes that are missing or empty, and values that are too long."""
    for one in expected.encoded:
        wanted, place = MANDATORY.get(one.role, Mandatory(())), str(one.role)
        if str(one.dataset.get("SOPClassUID")) not in wanted.sop_class_uids:
            yield f"{place}: SOP class {one.dataset.get('SOPClassUID')} is not the one of its role"
        if str(one.dataset.get("Modality")) != MODALITY.get(one.role, str(one.dataset.get("Modality"))):
            yield f"{place}: Modality is not {MODALITY[one.role]}"
        yield from _missing(one.dataset, (*COMMON_1, *wanted.type_1), place)
        yield from (f"{place}: {k} is missing (type 2)" for k in wanted.type_2 if k not in one.dataset)
        for visited in expected.visits(one):
            yield from _standard_faults(visited, ": ".join((place, *visited.place[-1:])))
        yield from _device_faults(one.dataset, expected.run.model.device_uid, place)


def _standard_faults(visited: Visited, place: str) -> Iterator[str]:
    """What PS3.3 asks of one data set or item, and what of it holds for ours where it leaves conditions."""
    shape, elements = visited.shape, visited.elements
    for tag, keyword in shape.mandatory.items():
        if tag not in elements or is_empty(elements[tag]):
            yield f"{place}: {keyword} is missing or empty (type 1)"
    yield from (f"{place}: {word} is missing (type 2)" for tag, word in shape.present.items() if tag not in elements)
    yield from _missing(visited.dataset, held_where(visited.place), place)
    for group in TOGETHER:
        if not group.isdisjoint(elements) and not group <= elements.keys():
            yield f"{place}: attributes that stand together are not all there (type 1C)"
    yield from _value_faults(visited, place)
    if CODE_MEANING in shape.mandatory or place.endswith("CodeSequence"):
        yield from _code_faults(elements, place)


def _value_faults(visited: Visited, place: str) -> Iterator[str]:
    """Empty values of type 1C, too many or too few values, too long values."""
    for tag, element in visited.elements.items():
        if tag in visited.shape.not_empty and is_empty(element):
            yield f"{place}: {element.keyword} is empty (type 1C)"
        if tag in HOW_MANY and HOW_MANY[tag] != element.VM:
            yield f"{place}: {element.keyword} has {element.VM} values, not {HOW_MANY[tag]}"
        if element.VR in LONGEST and _is_too_long(element):
            yield f"{place}: {element.keyword} is longer than {LONGEST[element.VR]} characters (PS3.5 6.2)"


def held_where(place: tuple[str, ...]) -> tuple[str, ...]:
    """What an item must have besides, by the sequences that it stands in."""
    return (*WHERE_IT_STANDS.get("/".join(place[-1:]), ()), *WHERE_IT_STANDS.get("/".join(place[-2:]), ()))


def is_empty(element: DataElement) -> bool:
    """Whether an element has no value."""
    value = element.value
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def _missing(dataset: Dataset, keywords: tuple[str, ...], place: str) -> Iterator[str]:
    for keyword in keywords:
        if keyword not in dataset or is_empty(dataset[keyword]):
            yield f"{place}: {keyword} is missing or empty (type 1)"


def _is_too_long(element: DataElement) -> bool:
    values = element.value if element.VM > 1 else [element.value]
    return any(len(str(value)) > LONGEST[element.VR] for value in values if value is not None)


def _code_faults(elements: dict[int, DataElement], place: str) -> Iterator[str]:
    """One value, its scheme and its meaning (PS3.3 8.1 to 8.3)."""
    values = [tag for tag in ONE_OF if tag in elements and not is_empty(elements[tag])]
    if len(values) != 1:
        yield f"{place}: a code has {len(values)} of {', '.join(ONE_OF.values())} (type 1C)"
    needed = CODED if values == [URN] else CODED | {0x00080102: "CodingSchemeDesignator"}
    for tag, keyword in needed.items():
        if tag not in elements or is_empty(elements[tag]):
            yield f"{place}: {keyword} is missing or empty (type 1)"


def _device_faults(dataset: Dataset, device_uid: str, place: str) -> Iterator[str]:
    items = dataset.get("ContributingEquipmentSequence") or ()
    if not any(str(item.get("DeviceUID", "")) == device_uid for item in items):
        yield f"{place}: no contributing equipment has the Device UID {device_uid} of the model version"
