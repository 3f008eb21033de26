"""The outline of a segment on the slice where it is largest, as a viewer draws it."""

from dataclasses import dataclass, replace

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray
from scipy.ndimage import label

from dicomnode.values import Volume

Box = tuple[slice, ...]
"""Slices, rows and columns that hold something (scipy.ndimage.find_objects)."""


@dataclass(frozen=True)
class Contour:
    """A closed line around the largest part of a segment on one slice."""

    slice: int
    """k."""
    points: NDArray[np.float64]
    """(n, 2) image coordinates (column, row); the first point again at the end. (0, 0) is the outer corner of the
    first pixel, so that a pixel's centre is index + 0.5 (PS3.3 C.10.5.1.2)."""
    area_mm2: float
    """Of the pixels inside."""
    parts: int
    """Separate parts of the segment on this slice."""


def largest_contour(mask: NDArray[np.bool_], volume: Volume) -> Contour:
    """Outline a mask (slice, row, column) on its slice of largest area, around its largest part there."""
    k = int(mask.sum(axis=(1, 2)).argmax())
    labels, parts = label(mask[k])
    sizes = np.bincount(labels.ravel())[1:]
    part = labels == 1 + int(sizes.argmax())
    return Contour(k, outline(part), float(sizes.max()) * pixel_mm2(volume), int(parts))


def contour_within(labels: NDArray[np.uint8], label: int, box: Box, volume: Volume) -> Contour:
    """The same of one label of a map, looked for in its bounding box alone."""
    found = largest_contour(labels[box] == label, volume)
    k, j, i = (part.start for part in box)
    return replace(found, slice=found.slice + k, points=found.points + np.array((i, j)))


def outline(part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The outer boundary of one connected part, half-way between inside and outside pixels' centres."""
    lines = contour_generator(z=np.pad(part.astype(np.float64), 1), line_type=LineType.Separate).lines(0.5)
    outer = max((np.asarray(line, dtype=np.float64) for line in lines), key=enclosed)
    return outer - 1.0 + 0.5  # padding off, pixel centre on


def enclosed(points: NDArray[np.float64]) -> float:
    """Area within a closed line, in square pixels."""
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2)


def pixel_mm2(volume: Volume) -> float:
    """Area of one pixel within its slice."""
    return float(np.linalg.norm(np.cross(volume.affine_lps[:3, 0], volume.affine_lps[:3, 1])))
