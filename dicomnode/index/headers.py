"""What is kept of each instance's header: the attributes that routes and series rules look at.

No name, ID, accession number or institution is among them. For an enhanced multi-frame image (PS3.3
C.7.6.16) the geometry is taken from the functional groups, so that a rule need not know the difference.
"""

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag

from dicomnode.index.element_text import CHARACTER_SET, MALFORMED, element_text, encodings_of
from dicomnode.values import Header

# fmt: off
KEYWORDS: tuple[str, ...] = (
    # what it is
    "SOPClassUID", "Modality", "ImageType", "SeriesDescription", "SeriesNumber", "StudyDescription", "ProtocolName",
    "PresentationIntentType", "DerivationDescription", "ContentQualification", "VolumetricProperties",
    "NumberOfFrames", "InstanceNumber", "AcquisitionNumber", "TemporalPositionIdentifier", "LossyImageCompression",
    "BurnedInAnnotation",
    # who, without saying who
    "PatientAge", "PatientBirthDate", "PatientSex", "PatientPosition",
    # when
    "StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "ContentDate",
    "ContentTime",
    # which part of the body
    "BodyPartExamined", "ViewPosition", "Laterality", "ImageLaterality", "PatientOrientation",
    # geometry
    "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID",
    "GantryDetectorTilt", "SliceLocation",
    # pixels
    "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation",
    # machine and acquisition
    "Manufacturer", "ManufacturerModelName", "StationName", "SoftwareVersions", "ConvolutionKernel", "KVP",
    "ScanOptions", "ContrastBolusAgent", "ScanningSequence", "SequenceVariant", "SequenceName", "MRAcquisitionType",
    "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "MagneticFieldStrength", "DiffusionBValue",
    # what was asked for
    "RequestedProcedurePriority", "RequestedProcedureDescription", "ScheduledProcedureStepDescription",
    "PerformedProcedureStepDescription",
)
"""Keywords of the attributes kept, in no order that matters."""
# fmt: on

SOURCE = ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle")
"""Of group 0002, where the instance has one."""
REQUEST = ("RequestedProcedurePriority", "RequestedProcedureDescription", "ScheduledProcedureStepDescription")
"""Looked up in Request Attributes Sequence (0040,0275) where the data set itself is silent."""
GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "FrameAnatomySequence": ("FrameLaterality",),
}
"""Functional groups that every frame of a stack shares; the first frame speaks where they are not shared."""
FRAMES_KEPT = 4096
"""Most frame positions kept; of a longer multi-frame none is."""
VIEWS = {
    "399348003": "AP", "272479007": "PA", "399067008": "LATERAL",
    "R-10206": "AP", "R-10214": "PA", "R-10236": "LATERAL",
}  # fmt: skip
"""View Code Sequence (0054,0220) values in the words of View Position (CID 4010)."""
SEQUENCES = (
    "RequestAttributesSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ViewCodeSequence",
)  # fmt: skip
_TAGS = {keyword: BaseTag(tag_for_keyword(keyword) or 0) for keyword in (*KEYWORDS, *SOURCE, "FrameLaterality")}
TAGS = (
    CHARACTER_SET,
    *(_TAGS[keyword] for keyword in KEYWORDS),
    *(BaseTag(tag_for_keyword(w) or 0) for w in SEQUENCES),
)
"""Every element of a data set that `header_of` looks at."""


def header_of(dataset: Dataset) -> Header:
    """The kept attributes of one instance; a broken value is kept as written, a broken sequence left out.

    Of an enhanced multi-frame, ImagePositionPatient holds the positions of all frames one after the
    other (3 values each), in frame order.
    """
    return header_in(dataset, encodings_of(dataset))


def header_in(dataset: Dataset, encodings: list[str]) -> Header:
    """As `header_of`, where the character set is known."""
    present = dataset.keys()
    values = {word: element_text(dataset, _TAGS[word], encodings) for word in KEYWORDS if _TAGS[word] in present}
    values |= _of_file_meta(dataset)
    for found in (_of_request(dataset, encodings), _of_frames(dataset, encodings), _of_view_code(dataset)):
        values |= {keyword: text for keyword, text in found.items() if not values.get(keyword)}
    return Header({keyword: text for keyword, text in values.items() if text})


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence; empty where it is absent or broken."""
    try:
        element = dataset.get(keyword)
        return [item for item in element if isinstance(item, Dataset)] if element else []
    except MALFORMED:
        return []


def _of_file_meta(dataset: Dataset) -> dict[str, str]:
    meta = getattr(dataset, "file_meta", None)
    return {keyword: element_text(meta, _TAGS[keyword], ["ascii"]) for keyword in SOURCE} if meta else {}


def _of_request(dataset: Dataset, encodings: list[str]) -> dict[str, str]:
    items = items_of(dataset, "RequestAttributesSequence")
    return {keyword: _first_text(items, keyword, encodings) for keyword in REQUEST} if items else {}


def _of_frames(dataset: Dataset, encodings: list[str]) -> dict[str, str]:
    shared = items_of(dataset, "SharedFunctionalGroupsSequence")
    frames = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    found = dict(_of_groups([*shared, *frames[:1]], encodings))
    if positions := _positions(shared, frames):
        found["ImagePositionPatient"] = "\\".join(positions)
    if side := found.pop("FrameLaterality", ""):
        found["ImageLaterality"] = side
    return found


def _of_groups(groups: list[Dataset], encodings: list[str]) -> Iterator[tuple[str, str]]:
    for sequence, keywords in GROUPS.items():
        items = [item for group in groups for item in items_of(group, sequence)]
        for keyword in keywords:
            yield keyword, _first_text(items, keyword, encodings)


def _positions(shared: list[Dataset], frames: list[Dataset]) -> list[str]:
    """Position of each frame, or nothing where one frame has none."""
    if len(frames) > FRAMES_KEPT:
        return []
    found = [_position(frame) for frame in frames]
    if frames and all(found):
        return found
    return [text for text in map(_position, shared) if text]


def _position(group: Dataset) -> str:
    return _first_text(items_of(group, "PlanePositionSequence"), "ImagePositionPatient", ["ascii"])


def _of_view_code(dataset: Dataset) -> dict[str, str]:
    codes = [element_text(item, 0x00080100, ["ascii"]) for item in items_of(dataset, "ViewCodeSequence")]
    return {"ViewPosition": VIEWS[codes[0]]} if codes and codes[0] in VIEWS else {}


def _first_text(items: list[Dataset], keyword: str, encodings: list[str]) -> str:
    tag = tag_for_keyword(keyword) or 0
    return next((text for text in (element_text(item, tag, encodings) for item in items) if text), "")
