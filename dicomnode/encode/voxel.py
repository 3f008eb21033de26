"""The volume of a voxel; apart from what else is measured of a map, since every command imports this."""

import numpy as np

from dicomnode.values import Volume

CUBIC_MM_PER_ML = 1000.0


def voxel_ml(volume: Volume) -> float:
    """Volume of one voxel."""
    return float(abs(np.linalg.det(volume.affine_lps[:3, :3]))) / CUBIC_MM_PER_ML
