"""What a label map holds: for each configured segment, where it is and how large."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from dicomnode.encode.tracking import Structure
from dicomnode.errors import ModelFault
from dicomnode.values import Volume

CUBIC_MM_PER_ML = 1000.0
CORNERS = np.array([(k, j, i) for k in (-0.5, 0.5) for j in (-0.5, 0.5) for i in (-0.5, 0.5)])
"""From a voxel's centre to its corners, in voxels (k, j, i)."""


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
    require_described(labels, volume, {structure.segment.index for structure in structures})
    counts = np.bincount(labels.ravel(), minlength=256).tolist()
    is_found = [_is_found(counts[s.segment.index], s, volume) for s in structures]
    found = [s for s, yes in zip(structures, is_found, strict=True) if yes]
    regions = (_region(labels, volume, structure, number) for number, structure in enumerate(found, 1))
    return Regions(tuple(regions), tuple(s for s, yes in zip(structures, is_found, strict=True) if not yes))


def _is_found(voxels: int, structure: Structure, volume: Volume) -> bool:
    return voxels > 0 and voxels * voxel_ml(volume) >= structure.segment.min_volume_ml


def _region(labels: NDArray[np.uint8], volume: Volume, structure: Structure, number: int) -> Region:
    mask = labels == structure.segment.index
    voxels = int(np.count_nonzero(mask))
    return Region(structure, number, voxels, voxels * voxel_ml(volume), extent_mm(mask, volume))


def require_described(labels: NDArray[np.uint8], volume: Volume, described: set[int]) -> None:
    """The map lies on the volume's grid and holds configured labels alone."""
    if labels.shape != volume.voxels.shape:
        raise ModelFault(f"the label map is {labels.shape}, the volume {volume.voxels.shape} (slice, row, column)")
    unknown = set(np.unique(labels).tolist()) - {0} - described
    if unknown:
        raise ModelFault(f"labels {sorted(unknown)} are in the map and dicom.toml has no [[segments]] for them")


def voxel_ml(volume: Volume) -> float:
    """Volume of one voxel."""
    return float(abs(np.linalg.det(volume.affine_lps[:3, :3]))) / CUBIC_MM_PER_ML


def extent_mm(mask: NDArray[np.bool_], volume: Volume) -> float:
    """Largest distance between two corners of a mask's voxels; only the ends of each row can be that far."""
    k, j = np.nonzero(mask.any(axis=2))
    first = mask[k, j].argmax(axis=1)
    last = mask.shape[2] - 1 - mask[k, j, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([k, j, first], axis=1), np.stack([k, j, last], axis=1)])
    corners = np.unique((ends[:, None, :] + CORNERS).reshape(-1, 3), axis=0)
    points = corners[:, ::-1] @ volume.affine_lps[:3, :3].T
    return float(pdist(points[ConvexHull(points).vertices]).max())
