"""Where a SEG lies: on its source's slices, in its source's frame of reference, to the figure."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.values import Header, Role

POSITION_MM = 1e-3
"""Largest difference of a position or spacing; more than rounding is a fault."""
COSINE = 1e-4


def geometry_faults(expected: Expected) -> Iterator[str]:
    """What differs between the SEG's frames and the slices that they are said to lie on."""
    seg = expected.of(Role.SEG)
    if seg is None:
        return
    frames = seg.get("PerFrameFunctionalGroupsSequence") or ()
    if not len(frames) == int(seg.get("NumberOfFrames") or 0) > 0:
        yield f"SEG: {len(frames)} functional groups for {seg.get('NumberOfFrames')} frames"
        return
    for number, frame in enumerate(frames, 1):
        uid, source_frame = source_of(frame)
        header = expected.header_of(uid)
        if header is None:
            yield f"SEG: frame {number} names no source image of the study"
        else:
            yield from (f"SEG: frame {number}: {fault}" for fault in frame_faults(seg, frame, header, source_frame))


def source_of(frame: Dataset) -> tuple[str, int]:
    """SOP Instance UID and frame (from 1) of the image that a SEG frame was made of (PS3.3 C.7.6.16.2.6)."""
    for derivation in frame.get("DerivationImageSequence") or ():
        for source in derivation.get("SourceImageSequence") or ():
            numbers = source.get("ReferencedFrameNumber") or 1
            first = numbers if isinstance(numbers, int | str) else numbers[0]
            return str(source.get("ReferencedSOPInstanceUID", "")), int(first)
    return "", 1


def frame_faults(seg: Dataset, frame: Dataset, header: Header, source_frame: int) -> Iterator[str]:
    """What differs between a frame of a multi-frame result and the frame (from 1) of its source."""
    if str(seg.get("FrameOfReferenceUID")) != header.text("FrameOfReferenceUID"):
        yield "another frame of reference than its source"
    if [str(seg.Rows), str(seg.Columns)] != [header.text("Rows"), header.text("Columns")]:
        yield "another matrix than its source"
    at = 3 * (source_frame - 1)
    rows = (
        ("position", "PlanePositionSequence", "ImagePositionPatient", slice(at, at + 3), POSITION_MM),
        ("orientation", "PlaneOrientationSequence", "ImageOrientationPatient", slice(0, 6), COSINE),
        ("pixel spacing", "PixelMeasuresSequence", "PixelSpacing", slice(0, 2), POSITION_MM),
    )
    for name, group, keyword, which, tolerance in rows:
        theirs = np.array(header.numbers(keyword)[which])
        ours = figures(seg, frame, group, keyword)
        if theirs.size and (ours.shape != theirs.shape or np.abs(ours - theirs).max() > tolerance):
            yield f"its {name} {ours.tolist()} is not the source's {theirs.tolist()}"


def figures(seg: Dataset, frame: Dataset, group: str, keyword: str) -> NDArray[np.float64]:
    """Numbers of a functional group, of the frame or of all frames; empty where there are none."""
    shared = (seg.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    items = frame.get(group) or shared.get(group) or [Dataset()]
    value = items[0].get(keyword)
    return np.atleast_1d(np.array([] if value is None else value, dtype=np.float64))
