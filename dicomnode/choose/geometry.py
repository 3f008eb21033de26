"""Size, spacing and soundness of a series, from its headers alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dicomnode.bundles.dicom_toml import Geometry
from dicomnode.errors import SeriesRefused
from dicomnode.stack import (
    MissingGeometry,
    Plane,
    Stack,
    plane_of,
    require_even_gaps,
    require_one_grid,
    require_upright,
    stack_of,
)
from dicomnode.values import Header, Series

AXES = ("from the first to the last slice", "down the rows", "across the columns")
"""Directions of increasing slice, row and column index, in words."""


@dataclass(frozen=True)
class Measure:
    """What the headers of a series say of its size."""

    slices: int
    stack: Stack | None
    """None where geometry is missing."""
    spacing_mm: tuple[float, float, float] | None
    """Along (slice, row, column) direction."""
    extent_mm: tuple[float, float, float] | None
    fault: SeriesRefused | None
    """Why no volume can be built, as far as headers show."""


def measure(series: Series, limits: Geometry) -> Measure:
    """Size and soundness of a series, as its headers give them."""
    slices = sum(slices_in(instance.header) for instance in series.instances)
    try:
        planes = [plane for instance in series.instances for plane in planes_of(instance.header)]
    except MissingGeometry as fault:
        return Measure(slices, None, None, None, fault)
    stack = stack_of(planes)
    spacing = (_slice_spacing_mm(stack, series.first), *planes[0].spacing_mm)
    counts = (len(planes), planes[0].rows, planes[0].columns)
    extent = tuple(count * mm for count, mm in zip(counts, spacing, strict=True))
    return Measure(slices, stack, spacing, (extent[0], extent[1], extent[2]), _fault(series, stack, limits))


def slices_in(header: Header) -> int:
    """Number of Frames, or 1."""
    frames = header.numbers("NumberOfFrames")
    return max(1, int(frames[0])) if frames and np.isfinite(frames[0]) else 1


def planes_of(header: Header) -> list[Plane]:
    """The planes of one instance: of each frame of an enhanced multi-frame, or the one there is.

    Raises:
        MissingGeometry: a frame does not say where it lies.
    """
    positions = header.numbers("ImagePositionPatient")
    frames = slices_in(header)
    if len(positions) != 3 * frames:
        raise MissingGeometry("ImagePositionPatient")
    orientation, spacing = header.numbers("ImageOrientationPatient"), header.numbers("PixelSpacing")
    matrix = (_whole(header, "Rows"), _whole(header, "Columns"))
    return [plane_of(positions[3 * n : 3 * n + 3], orientation, spacing, matrix) for n in range(frames)]


def misfits(measured: Measure, limits: Geometry) -> Iterator[str]:
    """For each limit of size or spacing that a series breaks: how, in words."""
    if measured.slices < limits.min_slices:
        slices = "1 slice" if measured.slices == 1 else f"{measured.slices} slices"
        yield f"{slices}, the model takes at least {limits.min_slices}"
    if measured.slices > limits.max_slices:
        yield f"{measured.slices} slices, the model takes at most {limits.max_slices}"
    if measured.extent_mm is None or measured.spacing_mm is None:
        if measured.fault is not None:
            yield str(measured.fault)
        return
    yield from _over(measured.extent_mm, limits.max_extent_mm, "{:.0f} mm {}, the model takes at most {:g} mm")
    yield from _under(measured.extent_mm, limits.min_extent_mm, "{:.0f} mm {}, the model takes at least {:g} mm")
    yield from _over(
        measured.spacing_mm, limits.max_spacing_mm, "{:.2f} mm between voxels {}, the model takes at most {:g} mm"
    )


def _over(found: tuple[float, ...], limits: tuple[float, ...] | None, words: str) -> Iterator[str]:
    for mm, axis, limit in zip(found, AXES, limits or (np.inf,) * 3, strict=True):
        if mm > limit * (1 + 1e-4):
            yield words.format(mm, axis, limit)


def _under(found: tuple[float, ...], limits: tuple[float, ...] | None, words: str) -> Iterator[str]:
    for mm, axis, limit in zip(found, AXES, limits or (0.0,) * 3, strict=True):
        if mm < limit * (1 - 1e-4):
            yield words.format(mm, axis, limit)


def _fault(series: Series, stack: Stack, limits: Geometry) -> SeriesRefused | None:
    references = {instance.header.text("FrameOfReferenceUID") for instance in series.instances}
    try:
        if len(references) > 1 or "" in references:
            raise MissingGeometry("one FrameOfReferenceUID for all images")
        require_one_grid(stack.planes)
        require_even_gaps(stack, uneven_mm=limits.uneven_mm)
        require_upright(stack, max_tilt_deg=limits.max_tilt_deg)
    except SeriesRefused as fault:
        return fault
    return None


def _slice_spacing_mm(stack: Stack, header: Header) -> float:
    """Median gap; of one slice alone its thickness."""
    gaps = stack.gaps_mm
    if len(gaps):
        return float(np.median(gaps))
    return next((mm[0] for key in ("SliceThickness", "SpacingBetweenSlices") if (mm := header.numbers(key))), 1.0)


def _whole(header: Header, keyword: str) -> int:
    values = header.numbers(keyword)
    return int(values[0]) if values and np.isfinite(values[0]) else 0
