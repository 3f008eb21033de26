"""A segmentation that a reader drew, as voxels of the images: for each segment, a mask on the source grid.

Only a segment that a person drew counts: Segment Algorithm Type MANUAL or SEMIAUTOMATIC, in an object whose creator is
named. What is AUTOMATIC was made by a device, ours or another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.items import code_text
from dicomnode.index.headers import items_of
from dicomnode.learn.harvest.grid import DrawingRefused, SourceGrid
from dicomnode.learn.harvest.placing import Placing, placing
from dicomnode.learn.harvest.sides import sides_drawn
from dicomnode.values import Instance
from dicomnode.volume.claims import pixel_bytes, require_sane_claims
from dicomnode.volume.decoder import Decoder
from dicomnode.volume.frames import ImageFrame, frames_of, plane_of_frame
from dicomnode.volume.pixels import stored_frames
from dicomnode.volume.read import Source, opened

BY_PERSONS = ("MANUAL", "SEMIAUTOMATIC")
KINDS = ("BINARY", "LABELMAP")
BACKGROUND = 0
"""Of a LABELMAP."""


@dataclass(frozen=True)
class Part:
    """One structure that somebody drew: a segment, or a region of interest."""

    number: int
    label: str
    codes: tuple[str, ...]
    """What it is, as "value/scheme"; the most telling first."""
    by_person: bool
    tracking_uid: str = ""
    sides: frozenset[str] = frozenset()
    """That it is said to be of; none: nothing is said."""


@dataclass
class Masks:
    """The drawn parts on the source grid, each as the voxels that are set."""

    grid: SourceGrid
    voxels: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)
    """By number of the part: (voxel, 3) of (slice, row, column)."""

    def add(self, number: int, at: NDArray[np.int64]) -> None:
        """Set voxels of a part.

        Raises:
            DrawingRefused: one lies outside of the grid.
        """
        if len(at) and ((at < 0).any() or (at >= np.asarray(self.grid.shape)).any()):
            raise DrawingRefused("something is drawn outside of the images")
        self.voxels.setdefault(number, []).append(at)

    def of(self, number: int) -> NDArray[np.bool_]:
        """The mask of one part, (slice, row, column)."""
        mask = np.zeros(self.grid.shape, dtype=np.bool_)
        for at in self.voxels.get(number, ()):
            mask[at[:, 0], at[:, 1], at[:, 2]] = True
        return mask


def parts_of(seg: Dataset) -> list[Part]:
    """The segments of a segmentation."""
    items = items_of(seg, "SegmentSequence")
    return [_part(item) for item in items if int(item.get("SegmentNumber", 0)) != BACKGROUND]


def creator_of(seg: Dataset) -> str:
    """Who made it: Content Creator's Name, else Operators' Name; empty: nobody says."""
    operators = seg.get("OperatorsName") or ""
    return str(seg.get("ContentCreatorName") or "") or str(operators if isinstance(operators, str) else operators[0])


def masks_of(instance: Instance, grid: SourceGrid) -> Masks:
    """The segments of a stored segmentation on the grid of its images.

    Raises:
        DrawingRefused: another kind of segmentation, another frame of reference, another geometry.
        SeriesRefused: it cannot be read or decoded.

    Source: PS3.3 A.51, C.8.20.2, C.8.20.3.
    """
    source = opened(instance)
    require_sane_claims(source)
    _require_fitting(source, grid)
    masks, several = Masks(grid), source.text("SegmentationType") == "LABELMAP"
    with Decoder() as decoder:
        for frame, pixels in zip(frames_of(source), _frames(source, decoder), strict=True):
            values = np.asarray(pixels)
            if not values.any():
                continue
            place = _place(grid, frame)
            for number, mask in _segments(frame, values) if not several else _labels(values):
                rows, columns = (axis.astype(np.int64) for axis in np.nonzero(mask))
                masks.add(number, place.voxels(rows, columns))
    return masks


def _frames(source: Source, decoder: Decoder) -> Iterator[NDArray[np.generic]]:
    """Decoded frames in stored order; of uncompressed bits a frame begins where the one before ends (PS3.5 8.1.1)."""
    if source.whole("BitsAllocated") != 1 or pixel_bytes(source) is None:
        yield from stored_frames(source, decoder)
        return
    count, rows, columns = source.whole("NumberOfFrames", 1), source.whole("Rows"), source.whole("Columns")
    packed = np.frombuffer(source.dataset.PixelData, dtype=np.uint8)
    size = rows * columns
    for start in range(0, count * size, size):
        held = packed[start // 8 : -(-(start + size) // 8)]
        bits = np.unpackbits(held, bitorder="little")[start % 8 : start % 8 + size]
        if len(bits) < size:
            raise DrawingRefused("its pixel data ends too early")
        yield bits.reshape(rows, columns)


def _require_fitting(source: Source, grid: SourceGrid) -> None:
    kind = source.text("SegmentationType")
    if kind not in KINDS:
        raise DrawingRefused(f"a {kind or 'nameless'} segmentation: only {' and '.join(KINDS)} say which voxels are in")
    uid = source.text("FrameOfReferenceUID")
    if grid.has_geometry and uid != grid.frame_of_reference_uid:
        raise DrawingRefused("its frame of reference is not that of the images")


def _place(grid: SourceGrid, frame: ImageFrame) -> Placing:
    """Where a frame lies; on one image without geometry: on that image, pixel by pixel."""
    rows, columns = frame.source.whole("Rows"), frame.source.whole("Columns")
    if not grid.has_geometry:
        if (rows, columns) != grid.shape[1:]:
            raise DrawingRefused(f"its {rows}×{columns} pixels are not the {grid.rows}×{grid.columns} of the image")
        return Placing(np.array((0, 0, 0)), np.array((1, 0, 0)), np.array((0, 1, 0)))
    found = placing(grid, plane_of_frame(frame))
    _require_its_image(grid, frame, found)
    return found


def _require_its_image(grid: SourceGrid, frame: ImageFrame, found: Placing) -> None:
    """A frame that names one image as its source must lie on that image."""
    named = list(_sources(frame))
    if len(named) != 1 or found.along_columns[2] or found.along_rows[2]:
        return
    k = int(found.origin[2])
    if 0 <= k < len(grid.frames):
        on = grid.frames[k]
        uid, number = named[0]
        if uid != on.sop_instance_uid or (number and on.frame_number and number != on.frame_number):
            raise DrawingRefused("a frame names one image as its source and lies on another")


def _sources(frame: ImageFrame) -> Iterator[tuple[str, int]]:
    """Images that a frame was derived from, with frame numbers (0: none told)."""
    for group in frame.groups:
        for derivation in items_of(group, "DerivationImageSequence"):
            for item in items_of(derivation, "SourceImageSequence"):
                numbers = item.get("ReferencedFrameNumber") or 0
                first = numbers if isinstance(numbers, int | str) else numbers[0]
                yield str(item.get("ReferencedSOPInstanceUID", "")), int(first)


def _segments(frame: ImageFrame, values: NDArray[np.generic]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The one segment that a frame of a BINARY segmentation shows."""
    for group in frame.groups:
        for item in items_of(group, "SegmentIdentificationSequence"):
            yield int(item.get("ReferencedSegmentNumber", 0)), values != 0
            return
    raise DrawingRefused("a frame does not say which segment it shows")


def _labels(values: NDArray[np.generic]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Every segment in a frame of a LABELMAP segmentation."""
    for number in np.unique(values).tolist():
        if number != BACKGROUND:
            yield int(number), values == number


def _part(item: Dataset) -> Part:
    named = code_text(item, "SegmentedPropertyTypeCodeSequence")
    return Part(
        number=int(item.get("SegmentNumber", 0)),
        label=str(item.get("SegmentLabel", "") or ""),
        codes=(named,) if named else (),
        by_person=str(item.get("SegmentAlgorithmType", "")) in BY_PERSONS,
        tracking_uid=str(item.get("TrackingUID", "") or ""),
        sides=sides_drawn(item),
    )
