"""What an image looks like to a model, in a few numbers: kept for each run, so that drift can be seen.

Grey levels and texture of the network's input, and what its learnt domain check saw of the network's own features,
where it has one. No image can be made from them.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from dicomnode.infer.domain import BANDS, grey_levels, plain

SIDE = 128
"""Rows and columns of the slices that are looked at."""
QUADRANTS = 2
VALUES = 8192
"""Most voxels that grey levels are taken from."""


def embedding(image: Tensor, seen: tuple[float, ...]) -> tuple[float, ...]:
    """35 numbers of one preprocessed image, and what the domain check saw.

    Args:
        image: (channel, row, column) or (channel, ..., ..., slice), as the network gets it.
        seen: `domain.DomainScore.seen`; empty where the bundle has no learnt check.
    """
    values = plain(image)[0]
    slices = F.interpolate(torch.nan_to_num(_slices(values))[:, None], (SIDE, SIDE), mode="bilinear")
    numbers = torch.cat([grey_levels(torch.nan_to_num(_sample(values)))[0], _texture(slices)])
    return tuple(round(float(number), 4) for number in (*numbers, *seen))


def _slices(values: Tensor) -> Tensor:
    """(slice, row, column): one, or three across a volume."""
    if values.ndim == 2:
        return values[None]
    depth = values.shape[-1]
    return torch.stack([values[..., depth * part // 4] for part in (1, 2, 3)])


def _sample(values: Tensor) -> Tensor:
    """(1, voxel): evenly spread over the image."""
    flat = values.flatten()
    return flat[:: max(1, len(flat) // VALUES)][None]


def _texture(slices: Tensor) -> Tensor:
    """(16,): the log energy of four bands of detail in each quadrant, mean of the slices."""
    levels = [slices] + [F.avg_pool2d(slices, size) for size in BANDS]
    energies = []
    for fine, coarse in pairwise(levels):
        detail = fine - F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
        energies.append(torch.log(F.adaptive_avg_pool2d(detail.square(), QUADRANTS) + 1e-6).flatten(1))
    return torch.cat(energies, 1).mean(0)
