"""Long and short axis of a finding on one slice, as a radiologist measures them (RECIST 1.1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform

from dicomnode.values import Volume

MOST_LINES = 512
"""Perpendiculars that are tried, at most."""
BESIDE = 1e-7
"""A perpendicular is tried just beside each corner of the outline, in shares of the long axis: never through it."""

Line = tuple[tuple[float, float], tuple[float, float]]
"""Two ends in image coordinates (column, row), as in `contours.Contour`."""


@dataclass(frozen=True)
class Axes:
    """The longest diameter within a slice, and the longest one perpendicular to it that lies within the outline."""

    long_mm: float
    short_mm: float
    long_line: Line
    short_line: Line


def axes_of(points: NDArray[np.float64], volume: Volume) -> Axes:
    """Measure a closed outline.

    Args:
        points: (n, 2) image coordinates (column, row), the first again at the end.
        volume: whose pixel spacing holds.

    Source: PS3.16 CID 7470 (Long Axis, Short Axis).
    """
    pixel_mm = np.linalg.norm(volume.affine_lps[:3, :2], axis=0)
    outline = points * pixel_mm
    start, end = farthest(outline)
    long_mm = float(np.linalg.norm(end - start))
    along = (end - start) / long_mm
    frame = np.array([along, (-along[1], along[0])])
    turned = outline @ frame.T
    at, low, high = widest(turned)
    short = np.array([(at, low), (at, high)]) @ frame
    return Axes(long_mm, high - low, _line(np.array([start, end]) / pixel_mm), _line(short / pixel_mm))


def farthest(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two points (n, 2) that are farthest apart."""
    hull = points[ConvexHull(points).vertices]
    first, second = np.unravel_index(int(squareform(pdist(hull)).argmax()), (len(hull), len(hull)))
    return hull[first], hull[second]


def widest(outline: NDArray[np.float64]) -> tuple[float, float, float]:
    """The longest line parallel to the second axis that lies within a closed outline (n, 2): where, from, to."""
    best = (float(outline[0, 0]), 0.0, 0.0)
    for at in _tried(outline[:, 0]):
        crossed = crossings(outline, float(at))
        widths = crossed[1::2] - crossed[::2]
        if widths.size and widths.max() > best[2] - best[1]:
            n = int(widths.argmax())
            best = (float(at), float(crossed[2 * n]), float(crossed[2 * n + 1]))
    return best


def crossings(outline: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """Where a closed outline crosses the line x = at, ascending: in, out, in, out ..."""
    (x, y), (next_x, next_y) = outline[:-1].T, outline[1:].T
    over = (x < at) != (next_x < at)
    share = (at - x[over]) / (next_x[over] - x[over])
    return np.sort(y[over] + share * (next_y[over] - y[over]))


def _tried(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beside every corner, where the widest line must lie; evenly spaced where there are too many."""
    low, high = float(places.min()), float(places.max())
    beside = BESIDE * (high - low)
    corners = np.unique(places)
    if 2 * len(corners) > MOST_LINES:
        return np.linspace(low, high, MOST_LINES + 2)[1:-1]
    return np.concatenate([corners - beside, corners + beside])


def _line(ends: NDArray[np.float64]) -> Line:
    (x, y), (to_x, to_y) = ends.tolist()
    return (x, y), (to_x, to_y)
