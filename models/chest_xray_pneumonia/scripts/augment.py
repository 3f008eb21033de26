"""Changes to a batch of radiographs that do not change what they show."""

from __future__ import annotations

import torch
import torch.nn.functional as F

ROTATION = 0.17
"""Radians each way: how a small child is laid on the plate."""
SCALE = 0.10
"""Each way and each axis on its own: the aspect ratio of the data is squashed by an unknown amount."""
SHIFT = 0.12
"""Each way, of half the image."""


def augment(images: torch.Tensor, size: int) -> torch.Tensor:
    """Rotate, scale, shift, mirror and change the grey values of (image, 1, row, column), resized to ``size``.

    Mirrored half of the time: pneumonia is on either side, radiographs are met mirrored, and the node asks for
    the prediction of the mirrored image to state its uncertainty.
    """
    images = F.interpolate(images, (size, size), mode="area") if images.shape[-1] != size else images
    grid = F.affine_grid(_affine(len(images), images.device), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return _grey_values(moved)


def _affine(count: int, device: torch.device) -> torch.Tensor:
    """(image, 2, 3): where each pixel of the result is taken from."""
    angle = (torch.rand(count, device=device) * 2 - 1) * ROTATION
    scale = 1 + (torch.rand(count, 2, device=device) * 2 - 1) * SCALE
    shift = (torch.rand(count, 2, device=device) * 2 - 1) * SHIFT
    mirror = torch.where(torch.rand(count, device=device) < 0.5, -1.0, 1.0)
    cosine, sine = angle.cos(), angle.sin()
    rows = [
        torch.stack([cosine * scale[:, 0] * mirror, -sine * scale[:, 1], shift[:, 0]], 1),
        torch.stack([sine * scale[:, 0] * mirror, cosine * scale[:, 1], shift[:, 1]], 1),
    ]
    return torch.stack(rows, 1)


def _grey_values(images: torch.Tensor) -> torch.Tensor:
    """The images with another gamma, contrast, brightness and noise each."""
    shape, device = (len(images), 1, 1, 1), images.device
    gamma = torch.exp((torch.rand(shape, device=device) * 2 - 1) * 0.35)
    contrast = 1 + (torch.rand(shape, device=device) * 2 - 1) * 0.15
    brightness = (torch.rand(shape, device=device) * 2 - 1) * 0.10
    noise = torch.randn_like(images) * torch.rand(shape, device=device) * 0.03
    changed = images.clamp(0, 1).pow(gamma)
    return ((changed - 0.5) * contrast + 0.5 + brightness + noise).clamp(0, 1)
