"""What a label map holds: for each configured segment, where it is and how large."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from dicomnode.encode.tracking import Structure
from dicomnode.errors import ModelFault
from dicomnode.values import Volume

CUBIC_MM_PER_ML = 1000.0
CORNERS = np.array([(k, j, i) for k in (-0.5, 0.5) for j in (-0.5, 0.5) for i in (-0.5, 0.5)])
"""From a voxel's centre to its corners, in voxels (k, j, i)."""
HULL_PART = 512
"""Points whose distances to all others are held in memory at once."""


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
    voxels = [int(np.count_nonzero(labels == structure.segment.index)) for structure in structures]
    require_described(labels, voxels, structures)
    is_found = [_is_found(count, s, volume) for count, s in zip(voxels, structures, strict=True)]
    found = [(s, count) for s, count, yes in zip(structures, voxels, is_found, strict=True) if yes]
    regions = (_region(labels, volume, s, (number, count)) for number, (s, count) in enumerate(found, 1))
    return Regions(tuple(regions), tuple(s for s, yes in zip(structures, is_found, strict=True) if not yes))


def _is_found(voxels: int, structure: Structure, volume: Volume) -> bool:
    return voxels > 0 and voxels * voxel_ml(volume) >= structure.segment.min_volume_ml


def _region(labels: NDArray[np.uint8], volume: Volume, structure: Structure, count: tuple[int, int]) -> Region:
    """One region, from its segment number and voxels."""
    number, voxels = count
    extent = extent_mm(labels == structure.segment.index, volume)
    return Region(structure, number, voxels, voxels * voxel_ml(volume), extent)


def require_same_grid(labels: NDArray[np.uint8], volume: Volume) -> None:
    """The map lies on the volume's grid."""
    if labels.shape != volume.voxels.shape:
        raise ModelFault(f"the label map is {labels.shape}, the volume {volume.voxels.shape} (slice, row, column)")


def require_described(labels: NDArray[np.uint8], voxels: Sequence[int], structures: Sequence[Structure]) -> None:
    """The map holds configured labels alone: their voxels are all there are."""
    if int(np.count_nonzero(labels)) == sum(voxels):
        return
    unknown = set(np.unique(labels).tolist()) - {0} - {structure.segment.index for structure in structures}
    raise ModelFault(f"labels {sorted(unknown)} are in the map and dicom.toml has no [[segments]] for them")


def voxel_ml(volume: Volume) -> float:
    """Volume of one voxel."""
    return float(abs(np.linalg.det(volume.affine_lps[:3, :3]))) / CUBIC_MM_PER_ML


def extent_mm(mask: NDArray[np.bool_], volume: Volume) -> float:
    """Largest distance between two corners of a mask's voxels."""
    box = find_objects(mask.view(np.uint8))[0]
    corners = (np.argwhere(outermost(mask[box]))[:, None, :] + CORNERS).reshape(-1, 3)
    points = corners[:, ::-1] @ volume.affine_lps[:3, :3].T
    hull = points[ConvexHull(points).vertices]
    parts = np.array_split(hull, -(-len(hull) // HULL_PART))
    return max(float(cdist(part, hull).max()) for part in parts)


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
