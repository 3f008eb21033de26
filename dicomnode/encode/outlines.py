"""The outlines of a finding on every slice that it lies on: its parts, and the holes in them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import cKDTree

from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.values import Segmentation

Points = NDArray[np.float64]
"""(n, 2) image coordinates (column, row); the first point again at the end; (0, 0) is the outer corner of the first
pixel, as in `contours.Contour`."""


@dataclass(frozen=True)
class Outline:
    """One connected part of a finding on one slice."""

    slice: int
    """k."""
    outer: Points
    holes: tuple[Points, ...] = ()
    """Each turned against the outer boundary."""


def outlines_of(told: Told, one: Shown) -> tuple[Outline, ...]:
    """Every part of a finding on every slice, by the label map; its key outline alone where there is no map."""
    answer = told.prediction.answer if told.prediction else None
    if isinstance(answer, Segmentation) and one.label is not None:
        return tuple(outlines(np.asarray(answer.labels), one.label))
    return () if one.key is None else (Outline(one.key.slice, one.key.points),)


def outlines(labels: NDArray[np.uint8], label: int) -> Iterator[Outline]:
    """The parts of one label of a map (slice, row, column), slice by slice.

    A boundary runs half-way between the centres of pixels inside and outside: whoever fills it by the centres of pixels
    gets the same mask.
    """
    box = find_objects((labels == label).view(np.uint8))
    if not box:
        return
    k, j, i = (part.start for part in box[0])
    corner = np.array((i, j), np.float64)
    for offset, mask in enumerate(labels[box[0]] == label):
        for outer, *holes in _parts(mask):
            yield Outline(k + offset, outer + corner, tuple(hole + corner for hole in holes))


def without_straight_points(points: Points) -> Points:
    """The same closed line without the points that lie on a straight stretch of it."""
    corners = points[:-1]
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    bends = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    turns_back = (before * after).sum(axis=1) < 0
    kept = corners[bends | turns_back]
    return np.concatenate([kept, kept[:1]])


def with_keyholes(outline: Outline) -> Points:
    """The part as one closed line: each hole is reached by a channel without width from the nearest point so far.

    A channel is passed once each way, so it encloses nothing, whatever it crosses and however a reader fills the line.

    Source: PS3.3 C.8.8.6.3 (keyhole technique).
    """
    line = outline.outer[:-1]
    for hole in outline.holes:
        at, hole_at = _nearest(line, hole[:-1])
        turned = np.roll(hole[:-1], -hole_at, axis=0)
        line = np.concatenate([line[: at + 1], turned, turned[:1], line[at:]])
    return np.concatenate([line, line[:1]])


def _parts(mask: NDArray[np.bool_]) -> Iterator[list[Points]]:
    """Each connected part of a mask: its outer boundary, then its holes."""
    if not mask.any():
        return
    padded = np.pad(mask.astype(np.float64), 1)
    filled = contour_generator(z=padded, fill_type=FillType.OuterOffset).filled(0.5, np.inf)
    for points, offsets in zip(filled[0], filled[1], strict=True):
        placed = np.asarray(points, np.float64) - 0.5  # padding off (-1), pixel centre on (+ 0.5)
        yield np.split(placed, np.asarray(offsets, np.intp)[1:-1])


def _nearest(line: Points, hole: Points) -> tuple[int, int]:
    """Which point of a line and which of a hole lie closest together."""
    away, at = cKDTree(line).query(hole)
    hole_at = int(np.argmin(away))
    return int(at[hole_at]), hole_at
