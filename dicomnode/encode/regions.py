"""What a label map holds: for each configured segment, where it is and how large."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from dicomnode.encode.contours import Box
from dicomnode.encode.tracking import Structure
from dicomnode.encode.voxel import voxel_ml
from dicomnode.errors import ModelFault
from dicomnode.values import Volume

DIAGONALS = np.array([(0.5, j, i) for j in (-0.5, 0.5) for i in (-0.5, 0.5)])
"""From a voxel's centre to a corner, in voxels (k, j, i); the opposite corners are the others."""
FEW = 64
"""So few points are all compared."""
HULL_PART = 512
"""Points whose distances to all others are held in memory at once."""


@dataclass(frozen=True)
class Spread:
    """How the real-world values inside a mask are spread."""

    mean: float
    deviation: float
    """Standard deviation of these voxels (not of a sample of them)."""
    least: float
    most: float


@dataclass(frozen=True)
class Region:
    """One segment that was found."""

    structure: Structure
    number: int
    """Segment Number in the SEG: consecutive from 1 (PS3.3 C.8.20.2)."""
    voxels: int
    volume_ml: float
    extent_mm: float
    """Largest distance between two points of it."""
    box: Box
    """Where it lies in the map."""
    centre_mm: tuple[float, float, float]
    """Centre of mass, LPS."""
    values: Spread | None
    """None where the volume does not hold them."""


@dataclass(frozen=True)
class Regions:
    """The segments of one label map, found and not found, in the order of dicom.toml."""

    found: tuple[Region, ...]
    absent: tuple[Structure, ...]
    """None of it, or less than its smallest volume."""


def regions_of(labels: NDArray[np.uint8], volume: Volume, structures: Sequence[Structure]) -> Regions:
    """Measure every configured structure of a label map on the volume's grid.

    Raises:
        ModelFault: the map does not fit the volume, or holds a label that dicom.toml does not describe.
    """
    require_same_grid(labels, volume)
    boxes = dict(enumerate(find_objects(labels), 1))
    require_described((label for label, box in boxes.items() if box), structures)
    found: list[Region] = []
    absent: list[Structure] = []
    for structure in structures:
        box = boxes.get(structure.segment.index)
        region = _region(labels, volume, structure, box, len(found) + 1) if box else None
        if region is None or region.volume_ml < structure.segment.min_volume_ml:
            absent.append(structure)
        else:
            found.append(region)
    return Regions(tuple(found), tuple(absent))


def _region(labels: NDArray[np.uint8], volume: Volume, structure: Structure, box: Box, number: int) -> Region:
    """One region, looked at in its box alone."""
    mask = labels[box] == structure.segment.index
    counts = [mask.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    voxels = int(counts[0].sum())
    return Region(
        structure,
        number,
        voxels,
        voxels * voxel_ml(volume),
        extent_mm(mask, volume),
        box,
        centre_mm(counts, box, volume),
        spread_of(volume.voxels[box][mask]),
    )


def centre_mm(counts: Sequence[NDArray[np.int_]], box: Box, volume: Volume) -> tuple[float, float, float]:
    """Centre of mass in LPS mm, from the number of voxels on each slice, row and column of a box."""
    k, j, i = (
        part.start + float(np.average(np.arange(len(count)), weights=count))
        for part, count in zip(box, counts, strict=True)
    )
    x, y, z, _ = (volume.affine_lps @ (i, j, k, 1.0)).tolist()
    return x, y, z


def spread_of(values: NDArray[np.float32]) -> Spread | None:
    """Mean, standard deviation and range; None where a value is not known."""
    mean = float(values.mean(dtype=np.float64))
    if not np.isfinite(mean):
        return None
    deviation = float(values.std(dtype=np.float64))
    return Spread(mean, deviation, float(values.min()), float(values.max()))


def require_same_grid(labels: NDArray[np.uint8], volume: Volume) -> None:
    """The map lies on the volume's grid."""
    if labels.shape != volume.voxels.shape:
        raise ModelFault(f"the label map is {labels.shape}, the volume {volume.voxels.shape} (slice, row, column)")


def require_described(labels: Iterable[int], structures: Sequence[Structure]) -> None:
    """The map holds configured labels alone."""
    unknown = set(labels) - {structure.segment.index for structure in structures}
    if unknown:
        raise ModelFault(f"labels {sorted(unknown)} are in the map and dicom.toml has no [[segments]] for them")


def extent_mm(mask: NDArray[np.bool_], volume: Volume) -> float:
    """Largest distance between two corners of a mask's voxels."""
    spacing_mm = np.linalg.norm(volume.affine_lps[:3, 2::-1], axis=0)
    ends = far_apart(extremes(np.argwhere(outermost(mask)) * spacing_mm), float(np.linalg.norm(spacing_mm)))
    parts = np.array_split(ends, -(-len(ends) // HULL_PART))
    halves = DIAGONALS * spacing_mm
    return max(float(cdist(part + half, ends - half).max()) for part in parts for half in halves)


def extremes(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the convex hull of points (n, 3); all of them where they are few."""
    if len(points) < FEW:
        return points
    try:
        corners = ConvexHull(points).vertices
    except QhullError:  # they lie in one plane
        corners = ConvexHull(points, qhull_options="QJ").vertices
    return np.asarray(points[corners])


def far_apart(points: NDArray[np.float64], slack: float) -> NDArray[np.float64]:
    """Those of the points that can be one of the two that are farthest apart, give or take the slack."""
    first = points[np.linalg.norm(points - points[0], axis=1).argmax()]
    at_least = np.linalg.norm(points - first, axis=1).max() - slack
    radii = np.linalg.norm(points - (points.max(axis=0) + points.min(axis=0)) / 2, axis=1)
    return np.asarray(points[radii + radii.max() + slack >= at_least])


def outermost(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels that are the first or last of the mask on their line, along every axis: only they can be farthest."""
    ends = mask.copy()
    for axis in range(mask.ndim):
        line = np.moveaxis(mask, axis, -1)
        here = np.zeros_like(line)
        some = np.nonzero(line.any(axis=-1))
        here[(*some, line[some].argmax(axis=-1))] = True
        here[(*some, line.shape[-1] - 1 - line[some][:, ::-1].argmax(axis=-1))] = True
        ends &= np.moveaxis(here, -1, axis)
    return ends
