"""Changes to a batch of crops that move image and mask alike, or change the image's intensities only."""

from __future__ import annotations

import torch
import torch.nn.functional as F

ROTATION = 0.26
"""Radians each way about each axis: how a head lies in the scanner."""
SCALE = 0.15
"""Each way and each axis on its own: heads differ."""
BEND_MM = 2.5
"""The standard deviation of the control points' displacement, one each 14 mm."""
THICK = 4.0
"""The thickest slices imitated, in mm."""


def augment(images: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Move (crop, 1, x, y, z) and (crop, x, y, z) alike, mirror left and right, and change the intensities.

    Left and right hippocampi both occur in the data and the header does not tell which, so mirroring is natural.
    """
    grid = _grid(images)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    inside = F.grid_sample(torch.ones_like(images), grid, padding_mode="zeros", align_corners=False)
    moved_masks = F.grid_sample(masks[:, None].float(), grid, mode="nearest", align_corners=False)
    return _intensities(_thicken(moved)) * (inside > 0.5), moved_masks[:, 0].long()


def _uniform(count: int, *shape: int, device: torch.device) -> torch.Tensor:
    """(count, …), uniform in -1 to 1."""
    return torch.rand(count, *shape, device=device) * 2 - 1


def _grid(images: torch.Tensor) -> torch.Tensor:
    """(crop, x, y, z, 3): where each voxel of the result is taken from."""
    count, device = len(images), images.device
    size = torch.tensor(images.shape[:1:-1], dtype=torch.float32, device=device)  # z, y, x, as grid_sample names them
    angle = _uniform(count, 3, device=device) * ROTATION
    generator = torch.zeros(count, 3, 3, device=device)
    for first, second, index in ((0, 1, 0), (0, 2, 1), (1, 2, 2)):
        generator[:, first, second], generator[:, second, first] = angle[:, index], -angle[:, index]
    scale = 1 + _uniform(count, 3, device=device) * SCALE
    scale[:, 2] *= torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)  # x: left and right
    matrix = torch.linalg.matrix_exp(generator) * scale[:, None, :]
    matrix = matrix * size[None, None, :] / size[None, :, None]  # rotate in mm, not in halves of the crop
    grid = F.affine_grid(F.pad(matrix, (0, 1)), list(images.shape), align_corners=False)
    controls = [max(3, length // 14) for length in images.shape[2:]]
    bend = torch.randn(count, 3, *controls, device=device) * BEND_MM * 2 / size[None, :, None, None, None]
    bend = bend * (torch.rand(count, 1, 1, 1, 1, device=device) < 0.5)
    smooth = F.interpolate(bend, images.shape[2:], mode="trilinear", align_corners=True)
    return grid + smooth.permute(0, 2, 3, 4, 1)


def _thicken(images: torch.Tensor) -> torch.Tensor:
    """Every fourth crop as if it came from thick slices along one axis: averaged, then interpolated back."""
    done = []
    for image in images:
        if torch.rand(()) < 0.25:
            axis, thickness = int(torch.randint(3, ())), 1 + float(torch.rand(())) * (THICK - 1)
            size = list(image.shape[1:])
            thick = [max(4, round(n / thickness)) if i == axis else n for i, n in enumerate(size)]
            image = F.interpolate(F.interpolate(image[None], thick, mode="area"), size, mode="trilinear")[0]
        done.append(image)
    return torch.stack(done)


def _intensities(images: torch.Tensor) -> torch.Tensor:
    """The images with another gamma, contrast, brightness, coil shading and noise each."""
    count, device = len(images), images.device
    shape = (count, 1, 1, 1, 1)
    low, high = images.amin((1, 2, 3, 4), keepdim=True), images.amax((1, 2, 3, 4), keepdim=True)
    unit = (images - low) / (high - low).clamp(min=1e-6)
    gamma = torch.exp(_uniform(*shape, device=device) * 0.35)
    shading = F.interpolate(torch.randn(count, 1, 2, 2, 2, device=device), images.shape[2:], mode="trilinear")
    changed = unit.pow(gamma) * (high - low) + low
    changed = changed * torch.exp(shading * 0.10) * (1 + _uniform(*shape, device=device) * 0.15)
    changed = changed + _uniform(*shape, device=device) * 0.15
    return changed + torch.randn_like(images) * torch.rand(shape, device=device) * 0.15
