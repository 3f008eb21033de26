"""Multi-frame objects: what every frame must be told of, how pixels are stored, and how frames are ordered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.values import Role

SHARED, EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
PLACE = ("FrameContentSequence", "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence")


@dataclass(frozen=True)
class Frames:
    """What the frames of one kind of object need."""

    groups: tuple[str, ...]
    """Functional groups that each frame has, of its own or shared (PS3.3 C.7.6.16.2)."""
    pixels: dict[str, object]
    """How pixels are described (PS3.3 C.7.6.3)."""


FRAMES: dict[Role, Frames] = {
    Role.SEG: Frames(
        (*PLACE, "SegmentIdentificationSequence", "DerivationImageSequence"),
        {
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "PixelRepresentation": 0,
            "BitsAllocated": 1,
            "BitsStored": 1,
            "HighBit": 0,
            "SegmentationType": "BINARY",
        },
    ),
    Role.PMAP: Frames(
        (
            *PLACE,
            "DerivationImageSequence",
            "FrameVOILUTSequence",
            "PixelValueTransformationSequence",
            "RealWorldValueMappingSequence",
            "ParametricMapFrameTypeSequence",
            "FrameAnatomySequence",
        ),
        {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 32},
    ),
}
"""PS3.3 A.51.5, A.75.5; C.8.20.2, C.8.32.2."""


def frame_group_faults(expected: Expected) -> Iterator[str]:
    """Frames without a group that they need, pixels described otherwise than they are stored, a wrong order."""
    for one in expected.encoded:
        frames = FRAMES.get(one.role)
        if frames is not None:
            yield from (f"{one.role}: {fault}" for fault in _faults(one.dataset, frames))


def _faults(dataset: Dataset, frames: Frames) -> Iterator[str]:
    for keyword, value in frames.pixels.items():
        if dataset.get(keyword) != value:
            yield f"{keyword} is not {value}"
    shared = (dataset.get(SHARED) or [Dataset()])[0]
    each = dataset.get(EACH) or ()
    for group in frames.groups:
        if not shared.get(group) and not all(frame.get(group) for frame in each):
            yield f"{group} is missing in a frame"
    yield from _dimension_faults(dataset, each)


def _dimension_faults(dataset: Dataset, each: Sequence[Dataset]) -> Iterator[str]:
    """Every frame has a place along every dimension (PS3.3 C.7.6.17)."""
    index = dataset.get("DimensionIndexSequence") or ()
    organizations = {
        item.get("DimensionOrganizationUID") for item in dataset.get("DimensionOrganizationSequence") or ()
    }
    if {item.get("DimensionOrganizationUID") for item in index} != organizations:
        yield "its dimensions are of another organization"
    contents = ((frame.get("FrameContentSequence") or [Dataset()])[0] for frame in each)
    values = (content.get("DimensionIndexValues") for content in contents)
    if any(len([*value] if hasattr(value, "__iter__") else [value]) != len(index) for value in values):
        yield "a frame has another number of dimensions than the object"
