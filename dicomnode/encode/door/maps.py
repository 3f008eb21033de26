"""Whether a Parametric Map lies on its source's slices and holds what it says (PS3.3 A.75, C.7.6.16.2.11)."""

from collections.abc import Iterator

import numpy as np
from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.geometry import figures, frame_faults, source_of
from dicomnode.encode.door.told_items import unit_of
from dicomnode.values import Role

OWN_FRAME_OF_REFERENCE = "another frame of reference than its source"


def map_faults(expected: Expected) -> Iterator[str]:
    """Frames that lie elsewhere than their source, values outside 0..1, and values without a meaning."""
    dataset = expected.of(Role.PMAP)
    if dataset is None:
        return
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if not len(frames) == int(dataset.get("NumberOfFrames") or 0) > 0:
        yield f"PMAP: {len(frames)} functional groups for {dataset.get('NumberOfFrames')} frames"
        return
    for number, frame in enumerate(frames, 1):
        yield from (f"PMAP: frame {number}: {fault}" for fault in _placed_faults(dataset, frame, expected))
    yield from _order_faults(dataset)
    yield from _meaning_faults(dataset)
    yield from _value_faults(dataset, len(frames))


def _placed_faults(dataset: Dataset, frame: Dataset, expected: Expected) -> Iterator[str]:
    uid, source_frame = source_of(frame)
    header = expected.header_of(uid)
    if header is None:
        yield "names no source image of the study"
        return
    faults = list(frame_faults(dataset, frame, header, source_frame))
    if header.text("ImagePositionPatient"):
        yield from faults
    elif str(dataset.get("FrameOfReferenceUID")) in expected.received_uids:
        yield "a projection's map must have a frame of reference of its own"
    else:
        yield from (fault for fault in faults if OWN_FRAME_OF_REFERENCE not in fault)


def _order_faults(dataset: Dataset) -> Iterator[str]:
    """Frames lie one after the other along the normal: readers were seen to stack them as they come."""
    places = [
        figures(dataset, frame, "PlanePositionSequence", "ImagePositionPatient")
        for frame in dataset.PerFrameFunctionalGroupsSequence
    ]
    direction = figures(dataset, Dataset(), "PlaneOrientationSequence", "ImageOrientationPatient")
    if direction.size != 6 or any(place.size != 3 for place in places):
        yield "PMAP: a frame lies nowhere"
    elif (np.diff(np.array(places) @ np.cross(direction[:3], direction[3:])) <= 0).any():
        yield "PMAP: its frames do not follow one another along their normal"


def _meaning_faults(dataset: Dataset) -> Iterator[str]:
    """What a stored value means (Real World Value Mapping, PS3.3 C.7.6.16.2.11.1)."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    mapping = (shared.get("RealWorldValueMappingSequence") or [Dataset()])[0]
    if unit_of(mapping) != ("1", "UCUM"):
        yield "PMAP: the values have no units, or others than a share of 1"
    if not mapping.get("QuantityDefinitionSequence"):
        yield "PMAP: it does not say which quantity its values are"
    if (mapping.get("RealWorldValueSlope"), mapping.get("RealWorldValueIntercept")) != (1.0, 0.0):
        yield "PMAP: the stored values are not the real-world values"
    if not shared.get("FrameAnatomySequence"):
        yield "PMAP: the Frame Anatomy group is missing, without which dcmqi cannot read it"


def _value_faults(dataset: Dataset, frames: int) -> Iterator[str]:
    raw = bytes(dataset.get("FloatPixelData") or b"")
    if len(raw) != 4 * frames * int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0):
        yield "PMAP: the pixel data do not have the length of its frames"
        return
    values = np.frombuffer(raw, "<f4")
    if not (np.isfinite(values).all() and values.min() >= 0.0 and values.max() <= 1.0):
        yield "PMAP: values lie outside 0..1"
