"""The one place where LPS meets RAS, and (slice, row, column) meets MONAI's channel-first arrays.

DICOM's patient space is LPS (x to the left, y to the back, z to the head); MONAI, ITK's NIfTI world and nibabel use
RAS. Turning the signs of x and y in the affine goes either way. MONAI's spatial axes of a volume are (i, j, k) =
(column, row, slice), so that the affine's columns and the array's axes agree. A 2D image has no patient space to turn
into: its axes are what its bundle's own reader would have given, which `infer` knows.
"""

from typing import TypeVar

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray

from dicomnode.values import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Its own inverse."""

Scalar = TypeVar("Scalar", bound=np.generic)


def affine_ras(affine_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine to RAS mm of one to LPS mm, and the other way round."""
    return LPS_TO_RAS @ affine_lps


def to_metatensor(volume: Volume) -> MetaTensor:
    """A volume as MONAI takes it: (channel 1, column, row, slice), float32, with its affine to RAS mm."""
    voxels = np.ascontiguousarray(volume.voxels.transpose(2, 1, 0)[np.newaxis])
    affine = torch.from_numpy(affine_ras(volume.affine_lps))
    return MetaTensor(torch.from_numpy(voxels), affine=affine)


def to_source_grid(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """An array on MONAI's axes (column, row, slice) back on the source's (slice, row, column)."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))
