"""A structure set that a reader drew, as voxels of the images: contours filled by the even-odd rule.

A voxel belongs to a region when its centre does; a contour within another on the same slice is a hole, whichever way
it turns, and so is a keyhole. Only a region whose generation algorithm is MANUAL or SEMIAUTOMATIC counts, in a set
whose reviewer or operator is named.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.items import code_text
from dicomnode.index.headers import items_of
from dicomnode.learn.harvest.grid import DrawingRefused, SourceGrid
from dicomnode.learn.harvest.segmentations import BY_PERSONS, Masks, Part

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
OFF_SLICE = 0.1
"""Slices: a contour that leaves its slice by more lies on none."""
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def parts_of(structures: Dataset) -> list[Part]:
    """The regions of interest of a structure set."""
    codes = {
        int(item.get("ReferencedROINumber", 0)): code_text(item, "RTROIIdentificationCodeSequence")
        for item in items_of(structures, "RTROIObservationsSequence")
    }
    return [_part(item, codes) for item in items_of(structures, "StructureSetROISequence")]


def creator_of(structures: Dataset) -> str:
    """Who answers for it: the reviewer, else the operator; empty: nobody says."""
    for keyword in ("ReviewerName", "OperatorsName"):
        found = structures.get(keyword) or ""
        name = str(found if isinstance(found, str) or not isinstance(found, list | tuple) else found[0])
        if name:
            return name
    return ""


def masks_of(structures: Dataset, grid: SourceGrid) -> Masks:
    """The regions of a structure set on the grid of its images.

    Raises:
        DrawingRefused: another frame of reference, a contour between slices or that is not closed.

    Source: PS3.3 C.8.8.5, C.8.8.6.
    """
    if not grid.has_geometry:
        raise DrawingRefused("the images have no position: contours in mm cannot be laid on them")
    _require_frame_of_reference(structures, grid)
    masks = Masks(grid)
    for item in items_of(structures, "ROIContourSequence"):
        number = int(item.get("ReferencedROINumber", 0))
        by_slice: dict[int, list[NDArray[np.float64]]] = {}
        for contour in items_of(item, "ContourSequence"):
            k, points = _on_slice(contour, grid)
            by_slice.setdefault(k, []).append(points)
        for k, lines in by_slice.items():
            rows, columns = np.nonzero(filled(lines, (grid.rows, grid.columns)))
            masks.add(number, np.column_stack([np.full(len(rows), k), rows, columns]).astype(np.int64))
    return masks


def filled(lines: list[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (row, column) whose centres lie within closed lines, by the even-odd rule.

    Args:
        lines: (point, 2) of (column, row), a pixel's centre at whole numbers; the last point joins the first.
        shape: rows and columns of the image.

    A centre on a line's left or upper edge is within, on its right or lower edge it is not.
    """
    rows, columns = shape
    crossings = np.zeros((rows, columns + 1), dtype=np.uint8)
    for line in lines:
        for (x0, y0), (x1, y1) in zip(line, np.roll(line, -1, axis=0), strict=True):
            low, high = max(int(np.ceil(min(y0, y1))), 0), min(int(np.ceil(max(y0, y1))), rows)
            if low >= high:
                continue
            crossed = np.arange(low, high)
            x = x0 + (crossed - y0) * (x1 - x0) / (y1 - y0)
            at = np.clip(np.ceil(x), 0, columns).astype(np.int64)
            crossings[crossed, at] ^= 1
    inside = np.bitwise_xor.accumulate(crossings, axis=1)
    return np.asarray(inside[:, :columns], dtype=np.bool_)


def series_uids(structures: Dataset) -> Iterator[str]:
    """Series that a structure set was drawn on."""
    for place in items_of(structures, "ReferencedFrameOfReferenceSequence"):
        for study in items_of(place, "RTReferencedStudySequence"):
            for series in items_of(study, "RTReferencedSeriesSequence"):
                yield str(series.get("SeriesInstanceUID", ""))


def _require_frame_of_reference(structures: Dataset, grid: SourceGrid) -> None:
    regions = items_of(structures, "StructureSetROISequence")
    uids = {str(item.get("ReferencedFrameOfReferenceUID", "")) for item in regions}
    if uids - {grid.frame_of_reference_uid}:
        raise DrawingRefused("its frame of reference is not that of the images")


def _on_slice(contour: Dataset, grid: SourceGrid) -> tuple[int, NDArray[np.float64]]:
    """Slice of a contour, and its points as (column, row) there."""
    kind = str(contour.get("ContourGeometricType", ""))
    if kind not in CLOSED:
        raise DrawingRefused(f"a contour is {kind or 'of no named kind'}: only closed planar ones have an inside")
    values = np.asarray([float(value) for value in contour.get("ContourData") or ()], dtype=np.float64)
    if len(values) < 9 or len(values) % 3 or not np.isfinite(values).all():
        raise DrawingRefused("a contour has fewer than three points")
    points = values.reshape(-1, 3)
    k = _nearest_slice(grid, points)
    origin, affine = np.asarray(grid.planes[k].position_mm), grid.affine_lps[:3, :3]
    index = (points - origin) @ np.linalg.inv(affine).T
    off = float(np.abs(index[:, 2]).max())
    if off > OFF_SLICE:
        raise DrawingRefused(f"a contour lies {off:.2f} slices off the images, or at an angle to them")
    return k, index[:, :2]


def _nearest_slice(grid: SourceGrid, points: NDArray[np.float64]) -> int:
    normal = grid.planes[0].normal
    middle = float((points @ normal).mean())
    return int(np.argmin([abs(float(np.asarray(one.position_mm) @ normal) - middle) for one in grid.planes]))


def _part(item: Dataset, codes: dict[int, str]) -> Part:
    number = int(item.get("ROINumber", 0))
    tracked = items_of(item, "ConceptualVolumeIdentificationSequence")[:1]
    code = codes.get(number, "")
    return Part(
        number=number,
        label=str(item.get("ROIName", "") or ""),
        codes=(code,) if code else (),
        by_person=str(item.get("ROIGenerationAlgorithm", "")) in BY_PERSONS,
        tracking_uid=str(tracked[0].get("ConceptualVolumeUID", "")) if tracked else "",
    )
