"""Image planes in patient space, and what stacking them along their normal gives.

All lengths are mm, all directions unit vectors in LPS (PS3.3 C.7.6.2.1.1). The limits are those of the design:
a gap of at least 1.5 times the median is a missing slice; other unevenness has its own name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicomnode.errors import SeriesRefused

Vector = NDArray[np.float64]

MISSING_RATIO = 1.5
"""A gap of so many medians lacks a slice."""
UNEVEN_RATIO = 0.05
"""Share of the median gap by which gaps may differ, where that is more than the model's limit in mm."""
SAME_PLACE_MM = 0.01
"""Closer planes lie at the same position."""
SAME_DIRECTION_DEG = 0.5
"""Largest angle between the rows, or the columns, of planes of one stack."""


class MissingGeometry(SeriesRefused):
    """An image does not say where it lies."""

    def __init__(self, keyword: str) -> None:
        super().__init__(f"{keyword} is missing or unusable: the position of the images is not known")
        self.keyword = keyword


class MissingSlice(SeriesRefused):
    """A series has a gap where a slice should be."""

    def __init__(self, after_mm: float, before_mm: float) -> None:
        super().__init__(f"a slice is missing: no image between {after_mm:.2f} and {before_mm:.2f} mm along the stack")
        self.after_mm, self.before_mm = after_mm, before_mm


class UnevenSpacing(SeriesRefused):
    """Slice gaps differ by more than the model tolerates."""

    def __init__(self, smallest_mm: float, largest_mm: float, allowed_mm: float) -> None:
        super().__init__(
            f"slice gaps run from {smallest_mm:.2f} to {largest_mm:.2f} mm; at most {allowed_mm:.2f} mm off the median"
        )
        self.smallest_mm, self.largest_mm, self.allowed_mm = smallest_mm, largest_mm, allowed_mm


class DuplicatePosition(SeriesRefused):
    """Two images of a series lie at the same position."""

    def __init__(self, at_mm: float, images: int) -> None:
        super().__init__(f"{images} images lie at {at_mm:.2f} mm along the stack: several volumes in one series")
        self.at_mm, self.images = at_mm, images


class TiltedStack(SeriesRefused):
    """The slices are stacked along another direction than their normal (gantry tilt)."""

    def __init__(self, tilt_deg: float, limit_deg: float) -> None:
        super().__init__(f"stacked {tilt_deg:.1f}° off the slice normal; the model takes at most {limit_deg:g}°")
        self.tilt_deg, self.limit_deg = tilt_deg, limit_deg


class MixedOrientation(SeriesRefused):
    """Images of one series lie at an angle to each other."""

    def __init__(self, angle_deg: float) -> None:
        super().__init__(f"images of the series lie at {angle_deg:.1f}° to each other")
        self.angle_deg = angle_deg


class MixedMatrix(SeriesRefused):
    """Images of one series differ in size or pixel spacing."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"images of the series differ in size: {one} and {other}")
        self.one, self.other = one, other


@dataclass(frozen=True)
class Plane:
    """Where one image lies."""

    position_mm: tuple[float, ...]
    """Centre of the first pixel (row 0, column 0)."""
    orientation: tuple[float, ...]
    """Direction of increasing column index, then of increasing row index (6 values)."""
    spacing_mm: tuple[float, float]
    """Between rows, between columns."""
    rows: int
    columns: int

    @property
    def normal(self) -> Vector:
        """Row direction × column direction."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def size(self) -> str:
        """Matrix and pixel size in words."""
        return f"{self.rows}×{self.columns} of {self.spacing_mm[0]:.4g}×{self.spacing_mm[1]:.4g} mm"


@dataclass(frozen=True)
class Stack:
    """Planes in order along the normal of the first."""

    order: tuple[int, ...]
    """Index of each plane among those given."""
    planes: tuple[Plane, ...]
    distances_mm: tuple[float, ...]
    """Of each plane from the patient origin, along the normal, ascending."""

    @property
    def gaps_mm(self) -> Vector:
        """Distances between neighbours."""
        return np.diff(self.distances_mm)

    @property
    def step_mm(self) -> Vector:
        """Mean vector from one slice to the next; of one slice alone: its unit normal."""
        if len(self.planes) == 1:
            return self.planes[0].normal
        first, last = (np.asarray(plane.position_mm) for plane in (self.planes[0], self.planes[-1]))
        return np.asarray((last - first) / (len(self.planes) - 1), dtype=np.float64)

    @property
    def tilt_deg(self) -> float:
        """Angle between the direction of stacking and the normal."""
        return _angle_deg(self.step_mm, self.planes[0].normal)


def plane_of(
    position: Sequence[float], orientation: Sequence[float], spacing: Sequence[float], matrix: tuple[int, int]
) -> Plane:
    """A plane of DICOM's numbers.

    Raises:
        MissingGeometry: a number is missing, infinite, or the directions are not perpendicular unit vectors.
    """
    for keyword, values, count in (
        ("ImagePositionPatient", position, 3),
        ("ImageOrientationPatient", orientation, 6),
        ("PixelSpacing", spacing, 2),
    ):
        if len(values) != count or not np.all(np.isfinite(values)):
            raise MissingGeometry(keyword)
    if min(spacing) <= 0:
        raise MissingGeometry("PixelSpacing")
    return Plane(tuple(position), _unit_directions(orientation), (spacing[0], spacing[1]), *matrix)


def stack_of(planes: Sequence[Plane]) -> Stack:
    """Planes sorted by position along the normal of the first (design decision 5)."""
    normal = planes[0].normal
    distances = [float(np.dot(plane.position_mm, normal)) for plane in planes]
    order = sorted(range(len(planes)), key=lambda n: (distances[n], n))
    return Stack(tuple(order), tuple(planes[n] for n in order), tuple(distances[n] for n in order))


def require_one_grid(planes: Sequence[Plane]) -> None:
    """Refuse planes that differ in direction, matrix or pixel spacing."""
    first = planes[0]
    for plane in planes[1:]:
        angle = max(
            _angle_deg(plane.orientation[:3], first.orientation[:3]),
            _angle_deg(plane.orientation[3:], first.orientation[3:]),
        )
        if angle > SAME_DIRECTION_DEG:
            raise MixedOrientation(angle)
        if (plane.rows, plane.columns) != (first.rows, first.columns) or not np.allclose(
            plane.spacing_mm, first.spacing_mm, rtol=1e-3
        ):
            raise MixedMatrix(first.size, plane.size)


def require_even_gaps(stack: Stack, *, uneven_mm: float) -> None:
    """Refuse two slices at one place, a missing slice, and gaps that differ."""
    if len(stack.planes) < 2:
        return
    gaps = stack.gaps_mm
    if gaps.min() < SAME_PLACE_MM:
        _raise_duplicate(stack)
    median = float(np.median(gaps))
    widest = int(gaps.argmax())
    if gaps[widest] >= MISSING_RATIO * median:
        raise MissingSlice(stack.distances_mm[widest], stack.distances_mm[widest + 1])
    allowed = max(uneven_mm, UNEVEN_RATIO * median)
    if float(np.abs(gaps - median).max()) > allowed + 1e-6:
        raise UnevenSpacing(float(gaps.min()), float(gaps.max()), allowed)


def require_upright(stack: Stack, *, max_tilt_deg: float) -> None:
    """Refuse a stack that leans, as a whole or slice by slice."""
    if len(stack.planes) > 1 and stack.tilt_deg > max_tilt_deg + 1e-6:
        raise TiltedStack(stack.tilt_deg, max_tilt_deg)


def _raise_duplicate(stack: Stack) -> None:
    at = stack.distances_mm[int(stack.gaps_mm.argmin())]
    raise DuplicatePosition(at, sum(abs(distance - at) < SAME_PLACE_MM for distance in stack.distances_mm))


def _unit_directions(orientation: Sequence[float]) -> tuple[float, ...]:
    rows, columns = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if any(abs(length - 1) > 1e-2 for length in lengths) or abs(float(np.dot(rows, columns))) > 1e-2:
        raise MissingGeometry("ImageOrientationPatient")
    return tuple(float(value) for value in (*(rows / lengths[0]), *(columns / lengths[1])))


def _angle_deg(one: Sequence[float] | Vector, other: Sequence[float] | Vector) -> float:
    cosine = np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
