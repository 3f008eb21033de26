"""The way from a volume's grid to the network's, and back to the voxel.

In, the bundle's preprocessing runs on the image; back, MONAI's `Invertd` undoes it. A map of
probabilities goes back by linear interpolation and is decided there: deciding on the network's grid
and going back by nearest neighbour moves an edge by up to half a voxel of that grid, a staircase
that is seen where its voxels are larger than the source's. A map of labels has no in-between and
goes back by nearest neighbour.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Invertd
from numpy.typing import NDArray

from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.values import Volume
from dicomnode.volume.metatensor import to_metatensor, to_source_grid


def network_input(bundle: Bundle, volume: Volume) -> MetaTensor:
    """(channel, ...) on the network's grid; remembers how it got there."""
    image = _flat(bundle, volume) if bundle.dicom.series.dimensions == 2 else to_metatensor(volume)
    if bundle.channels > 1:
        image = image.repeat(bundle.channels, *([1] * (image.ndim - 1)))
    prepared = bundle.preprocessing({bundle.image_key: image})[bundle.image_key]
    return prepared if isinstance(prepared, MetaTensor) else MetaTensor(prepared)


def like(image: MetaTensor, output: torch.Tensor) -> MetaTensor:
    """Output of the network (channel, ...), with the place of the image it was made of."""
    return MetaTensor(output, meta=image.meta, applied_operations=image.applied_operations)


@contextmanager
def nothing_to_undo() -> Iterator[None]:
    """MONAI warns where no transform moved a voxel: fine here, the image is on its grid still."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="inverse has been called but no invertible")
        yield


def to_source(bundle: Bundle, image: MetaTensor, output: torch.Tensor, *, nearest: bool = False) -> torch.Tensor:
    """A map on the network's grid (channel, ...), brought back to the image's grid before preprocessing."""
    invert = Invertd(
        keys="pred", transform=bundle.preprocessing, orig_keys=bundle.image_key, nearest_interp=nearest, to_tensor=True
    )
    with nothing_to_undo():
        back = invert({bundle.image_key: image, "pred": like(image, output)})["pred"]
    return torch.as_tensor(back.as_tensor() if isinstance(back, MetaTensor) else back)


def on_slices(bundle: Bundle, volume: Volume, back: torch.Tensor) -> NDArray[np.float32]:
    """A map on the image's grid (...) as (slice, row, column) of the volume.

    Raises:
        ModelFault: it is not on the volume's grid.
    """
    array = back.detach().cpu().float().numpy()
    if bundle.dicom.series.dimensions == 2:
        kji = np.ascontiguousarray(array if bundle.rows_first else array.T)[np.newaxis]
    else:
        kji = to_source_grid(array)
    if kji.shape != volume.voxels.shape:
        raise ModelFault(
            f"bundle {bundle.folder.name} answered on grid {kji.shape}, the images' is {volume.voxels.shape}"
        )
    return kji


def _flat(bundle: Bundle, volume: Volume) -> MetaTensor:
    """A projection image as its bundle's reader would have given it: (1, row, column) or (1, column, row)."""
    if volume.voxels.shape[0] != 1:
        raise ModelFault(f"bundle {bundle.folder.name} takes one 2D image, not {volume.voxels.shape[0]} slices")
    rows = volume.voxels[0] if bundle.rows_first else volume.voxels[0].T
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(rows))[None])
