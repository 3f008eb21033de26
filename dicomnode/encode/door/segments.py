"""Whether SEG and SR tell the same: segments, tracking, and volumes counted again from the SEG's own bits."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.geometry import figures
from dicomnode.encode.door.items import children, groups, tracking_of, tree
from dicomnode.values import Role

VOLUME_ML = 1e-4
"""Rounding of a volume in the SR."""
CUBIC_MM_PER_ML = 1000.0


def segment_faults(expected: Expected) -> Iterator[str]:
    """Segments without frames, and what the reports and the SEG tell differently about them."""
    seg = expected.of(Role.SEG)
    if seg is None:
        return
    numbers = [int(segment.get("SegmentNumber") or 0) for segment in seg.get("SegmentSequence") or ()]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"SEG: segment numbers {numbers} do not count from 1"
    counts = voxel_counts(seg)
    if counts is None:
        yield "SEG: the pixel data do not have the length of its frames"
        return
    yield from (f"SEG: frames name segment {n}, which is not described" for n in sorted(set(counts) - set(numbers)))
    yield from (f"SEG: segment {n} is empty" for n in numbers if not counts.get(n))
    for document in expected.reports:
        yield from _outline_faults(seg, document)
    report = expected.of(Role.SR)
    if report is not None:
        yield from _tracking_faults(seg, report)
        yield from _volume_faults(seg, report, counts)


def voxel_counts(seg: Dataset) -> dict[int, int] | None:
    """Set bits of each segment (PS3.5 8.1.1: one bit a pixel, least significant first); None on a wrong length."""
    frames = seg.get("PerFrameFunctionalGroupsSequence") or ()
    pixels = int(seg.Rows) * int(seg.Columns)
    raw = np.frombuffer(seg.get("PixelData") or b"", np.uint8)
    if len(raw) != -(-len(frames) * pixels // 16) * 2:
        return None
    counts: dict[int, int] = {}
    for n, frame in enumerate(frames):
        number = segment_number(seg, frame)
        counts[number] = counts.get(number, 0) + _set_bits(raw, n * pixels, pixels)
    return counts


def _set_bits(raw: NDArray[np.uint8], first: int, count: int) -> int:
    """How many of so many bits are set, from one bit on; a frame need not begin on a whole byte."""
    begin, offset = divmod(first, 8)
    bits = np.unpackbits(raw[begin : -(-(first + count) // 8)], count=offset + count, bitorder="little")
    return int(np.count_nonzero(bits[offset:]))


def segment_number(seg: Dataset, frame: Dataset) -> int:
    """Which segment a frame shows."""
    shared = (seg.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    item = (frame.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence") or [Dataset()])[0]
    return int(item.get("ReferencedSegmentNumber") or 0)


def _outline_faults(seg: Dataset, document: Dataset) -> Iterator[str]:
    """Each segment's tracking UID is that of a group with its outline."""
    outlined = {tracking_of(group)[1] for group in groups(document) if _is_outlined(group)}
    for segment in seg.get("SegmentSequence") or ():
        if str(segment.get("TrackingUID", "")) not in outlined:
            yield f"SR: segment {segment.get('SegmentNumber', '')} has no outline that a viewer could jump to"


def _tracking_faults(seg: Dataset, document: Dataset) -> Iterator[str]:
    """Each segment's tracking is that of the group that refers to it."""
    by_number = {_referred(group): group for group in groups(document) if _referred(group)}
    for segment in seg.get("SegmentSequence") or ():
        number = int(segment.get("SegmentNumber") or 0)
        track = (str(segment.get("TrackingID", "")), str(segment.get("TrackingUID", "")))
        if number not in by_number:
            yield f"SR: no measurement group refers to segment {number}"
        elif tracking_of(by_number[number]) != track:
            yield f"SR and SEG track segment {number} under different identifiers"


def _is_outlined(group: Dataset) -> bool:
    return any(item.get("ValueType") == "SCOORD" for _, item in tree(group))


def _volume_faults(seg: Dataset, document: Dataset, counts: dict[int, int]) -> Iterator[str]:
    each_ml = _voxel_ml(seg)
    for group in groups(document):
        number = _referred(group)
        for item in children(group, "118565006/SCT") if number else ():
            stated = float((item.get("MeasuredValueSequence") or [Dataset()])[0].get("NumericValue") or 0)
            counted = counts.get(number, 0) * each_ml
            if abs(stated - counted) > VOLUME_ML + 1e-3 * counted:
                yield f"SR: segment {number} has {stated} ml, and the SEG's voxels make {counted:.4f} ml"


def _referred(group: Dataset) -> int:
    """Segment number that a measurement group refers to; 0 where it refers to none."""
    for item in children(group, "121191/DCM"):
        for reference in item.get("ReferencedSOPSequence") or ():
            return int(reference.get("ReferencedSegmentNumber") or 0)
    return 0


def _voxel_ml(seg: Dataset) -> float:
    spacing = figures(seg, Dataset(), "PixelMeasuresSequence", "PixelSpacing")
    between = figures(seg, Dataset(), "PixelMeasuresSequence", "SpacingBetweenSlices")
    return float(np.prod(spacing) * np.prod(between)) / CUBIC_MM_PER_ML
