"""Labels brought from the images' grid to the network's, by its affine: whatever turned, resampled, cropped or padded.

The way back of an answer is `infer.grid` and `infer.detect`; this is the way there of what it should have been.
"""

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import ResampleToMatch
from numpy.typing import NDArray

from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.detect import corners_elsewhere
from dicomnode.values import Volume
from dicomnode.volume.metatensor import affine_ras


def mask_on_grid(bundle: Bundle, volume: Volume, image: MetaTensor, mask: NDArray[np.uint8]) -> torch.Tensor:
    """A label map (slice, row, column) on the network's grid (...), uint8, by nearest neighbour.

    Raises:
        ModelFault: the mask is not on the volume's grid, or the bundle's preprocessing does not tell where it goes.
    """
    if mask.shape != volume.voxels.shape:
        raise ModelFault(f"the mask lies on a grid {mask.shape}, the images' is {volume.voxels.shape}")
    _require_place(bundle, volume, image)
    match = ResampleToMatch(mode="nearest", padding_mode="zeros", dtype=np.float64)
    placed = match(_as_image(bundle, volume, mask), img_dst=image)
    return torch.as_tensor(placed.as_tensor())[0].round().to(torch.uint8)


def boxes_on_grid(bundle: Bundle, volume: Volume, image: MetaTensor, boxes: NDArray[np.float32]) -> torch.Tensor:
    """Boxes (n, 6) on the volume's grid as (n, 2 × axes) on the network's, float32.

    There a voxel's centre has a whole number, so that a box of the first voxel reaches from -0.5 to 0.5; the inverse
    of `infer.detect.to_source_boxes`.
    """
    _require_place(bundle, volume, image)
    flat = bundle.dicom.series.dimensions == 2
    axes = 2 if flat else 3
    order = (1, 2) if flat and bundle.rows_first else (2, 1) if flat else (2, 1, 0)
    ends = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 3)[:, :, order] - 0.5
    there = np.linalg.inv(np.asarray(image.affine)) @ _source_affine(bundle, volume)
    low, high = corners_elsewhere(ends.reshape(-1, 2 * axes), axes, np.asarray(there, dtype=np.float64))
    return torch.from_numpy(np.concatenate([low[:, :axes], high[:, :axes]], axis=1).astype(np.float32))


def _as_image(bundle: Bundle, volume: Volume, mask: NDArray[np.uint8]) -> MetaTensor:
    """The mask on the axes of the image before preprocessing."""
    if bundle.dicom.series.dimensions == 2:
        turned = mask[0] if bundle.rows_first else mask[0].T
    else:
        turned = mask.transpose(2, 1, 0)
    affine = torch.from_numpy(_source_affine(bundle, volume))
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(turned))[None].float(), affine=affine)


def _source_affine(bundle: Bundle, volume: Volume) -> NDArray[np.float64]:
    """Of the image before preprocessing; a 2D image has no place in the patient."""
    return np.eye(4) if bundle.dicom.series.dimensions == 2 else affine_ras(volume.affine_lps)


def _require_place(bundle: Bundle, volume: Volume, image: MetaTensor) -> None:
    """That the image still says where it lies: a step that MONAI does not follow loses that."""
    lost = np.allclose(np.asarray(image.affine), np.eye(4)) and not image.applied_operations
    kept = np.allclose(_source_affine(bundle, volume), np.eye(4))
    flat = image.shape[1:] == _as_image(bundle, volume, np.zeros(volume.voxels.shape, np.uint8)).shape[1:]
    if lost and not (kept and flat):
        raise ModelFault(
            f"the preprocessing of bundle {bundle.folder.name} does not tell where its image lies: "
            "masks and boxes cannot be brought onto it"
        )
