"""The outlines of a finding on every slice that it lies on: its parts, and the holes in them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import cKDTree

from dicomnode.encode.contours import Box
from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.values import Segmentation, Volume

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


def outlined(told: Told) -> list[tuple[Shown, tuple[Outline, ...]]]:
    """The findings, each with every part of it on every slice by the label map; else with its key outline, if any."""
    answer = told.prediction.answer if told.prediction else None
    if not isinstance(answer, Segmentation):
        return [(one, _key_outline(one, told.volume)) for one in told.shown]
    boxes = dict(enumerate(find_objects(answer.labels), 1))
    labels = [(one, one.label or 0) for one in told.shown]
    return [(one, tuple(outlines(answer.labels, label, boxes.get(label)))) for one, label in labels]


def _key_outline(one: Shown, volume: Volume | None) -> tuple[Outline, ...]:
    """The key outline, cut off at the image's edge, which the box of a detection may pass."""
    if one.key is None or volume is None:
        return ()
    _, rows, columns = volume.voxels.shape
    return (Outline(one.key.slice, np.clip(one.key.points, 0, (columns, rows))),)


def outlines(labels: NDArray[np.uint8], label: int, box: Box | None) -> Iterator[Outline]:
    """The parts of one label of a map (slice, row, column) within its bounding box, slice by slice.

    A boundary runs half-way between the centres of pixels inside and outside: whoever fills it by the centres of pixels
    gets the same mask.
    """
    if box is None:
        return
    k, j, i = (part.start for part in box)
    corner = np.array((i, j), np.float64)
    for offset, mask in enumerate(labels[box] == label):
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
    """The part as one closed line: each hole is reached by a channel without width from the nearest point outside.

    A channel is passed once each way, so it encloses nothing, whatever it crosses and however a reader fills the line.

    Source: PS3.3 C.8.8.6.3 (keyhole technique).
    """
    if not outline.holes:
        return outline.outer
    tree, detours = cKDTree(outline.outer[:-1]), []
    for hole in outline.holes:
        away, at = tree.query(hole[:-1])
        nearest = int(np.argmin(away))
        detours.append((int(at[nearest]), np.roll(hole[:-1], -nearest, axis=0)))
    return _with_detours(outline.outer, sorted(detours, key=lambda detour: detour[0]))


def _with_detours(line: Points, detours: list[tuple[int, Points]]) -> Points:
    """A closed line that leaves its points of these numbers (ascending) for closed lines, and comes back each time."""
    pieces, begin = [], 0
    for at, detour in detours:
        pieces += [line[begin : at + 1], detour, detour[:1]]
        begin = at
    return np.concatenate([*pieces, line[begin:]])


def _parts(mask: NDArray[np.bool_]) -> Iterator[list[Points]]:
    """Each connected part of a mask: its outer boundary, then its holes."""
    if not mask.any():
        return
    padded = np.pad(mask.astype(np.float64), 1)
    filled = contour_generator(z=padded, fill_type=FillType.OuterOffset).filled(0.5, np.inf)
    for points, offsets in zip(filled[0], filled[1], strict=True):
        placed = np.asarray(points, np.float64) - 0.5  # padding off (-1), pixel centre on (+ 0.5)
        yield np.split(placed, np.asarray(offsets, np.intp)[1:-1])
