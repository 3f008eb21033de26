"""The frames of a SEG: which slices each segment has voxels on, their bits, and where each lies.

highdicom describes the object, and we its frames: a whole label map never becomes a mask for each segment, and what
frames of one slice, or of one segment, have in common is one item.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.regions import Region
from dicomnode.values import Frame, Volume

BITS = 8
"""So many frames begin and end on whole bytes together, whatever their size."""
DERIVED = CodedConcept("113076", "DCM", "Segmentation")
PURPOSE = CodedConcept("121322", "DCM", "Source image for image processing operation")


@dataclass(frozen=True)
class SegmentFrame:
    """One frame: one segment on one slice."""

    region: Region
    slice: int
    """k."""


def occupied(labels: NDArray[np.uint8], regions: Sequence[Region]) -> tuple[SegmentFrame, ...]:
    """The frames that are not empty, segment by segment, slices in the volume's order."""
    by_slice = [set(np.flatnonzero(np.bincount(plane.ravel(), minlength=256)).tolist()) for plane in labels]
    return tuple(
        SegmentFrame(region, k)
        for region in regions
        for k, present in enumerate(by_slice)
        if region.structure.segment.index in present
    )


def packed(labels: NDArray[np.uint8], frames: Sequence[SegmentFrame]) -> bytes:
    """Pixel Data of all frames: one bit a pixel, least significant first, of even length (PS3.5 8.1.1, 8.2)."""
    length = -(-len(frames) * labels[0].size // 16) * 2
    buffer = BytesIO()
    buffer.seek(length - 1)
    buffer.write(b"\0")  # as large as it will be: growing would take up to a tenth more
    buffer.seek(0)
    for first in range(0, len(frames), BITS):
        some = frames[first : first + BITS]
        masks = [labels[frame.slice] == frame.region.structure.segment.index for frame in some]
        buffer.write(np.packbits(np.stack(masks), axis=None, bitorder="little").data)
    return buffer.getvalue()


def functional_groups(frames: Sequence[SegmentFrame], volume: Volume, headers: Iterable[Dataset]) -> list[Dataset]:
    """Per-frame Functional Groups: place, segment and source image of each frame (PS3.3 C.7.6.16.2, C.8.20.3)."""
    by_uid = {str(header.SOPInstanceUID): header for header in headers}
    slices = sorted({frame.slice for frame in frames})
    rank = {k: number for number, k in enumerate(slices, 1)}
    places = {k: _place(volume.frames[k], by_uid[volume.frames[k].sop_instance_uid]) for k in slices}
    segments = {frame.region.number: _segment(frame.region.number) for frame in frames}
    made = []
    for frame in frames:
        content, groups = Dataset(), Dataset()
        content.DimensionIndexValues = [frame.region.number, rank[frame.slice]]
        groups.FrameContentSequence = [content]
        groups.update(places[frame.slice])
        groups.update(segments[frame.region.number])
        made.append(groups)
    return made


def position_of(frame: Frame, header: Dataset) -> list[float]:
    """Image Position (Patient) of a slice's own image, as its sender wrote it."""
    holder = header
    if frame.frame_number:
        groups = header.PerFrameFunctionalGroupsSequence[frame.frame_number - 1]
        holder = (
            groups.get("PlanePositionSequence") or header.SharedFunctionalGroupsSequence[0].PlanePositionSequence
        )[0]
    return list(holder.ImagePositionPatient)


def _place(frame: Frame, header: Dataset) -> Dataset:
    """What all frames of one slice share: position and source image."""
    groups, plane, derivation = Dataset(), Dataset(), Dataset()
    plane.ImagePositionPatient = position_of(frame, header)
    derivation.SourceImageSequence = [_source(frame)]
    derivation.DerivationCodeSequence = [DERIVED]
    groups.PlanePositionSequence, groups.DerivationImageSequence = [plane], [derivation]
    return groups


def _source(frame: Frame) -> Dataset:
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = frame.sop_class_uid, frame.sop_instance_uid
    if frame.frame_number:
        source.ReferencedFrameNumber = frame.frame_number
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [PURPOSE]
    return source


def _segment(number: int) -> Dataset:
    groups, identification = Dataset(), Dataset()
    identification.ReferencedSegmentNumber = number
    groups.SegmentIdentificationSequence = [identification]
    return groups
