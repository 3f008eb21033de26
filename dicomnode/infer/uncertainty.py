"""How sure the network is, by asking it again: with dropout switched on, or of the mirrored image."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import torch
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Uncertainty, UncertaintyMethod
from dicomnode.infer.forward import Forward

DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
SEED = 20261121
"""Dropout draws the same masks for each prediction: the same study twice gives the same figure."""
NO_DROPOUT = "uncertainty by mirrored images: the network has no dropout"


def samples(
    forward: Forward, image: Tensor, plain: Tensor, wanted: Uncertainty
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Outputs of the network for the same image (1, channel, ...), and notes; none where nothing is asked.

    `plain` is the output already there; mirrored samples include it.
    """
    if wanted.method is UncertaintyMethod.NONE:
        return [], ()
    if wanted.method is UncertaintyMethod.MC_DROPOUT:
        if layers := dropout_layers(forward.network):
            return _with_dropout(forward, image, layers, wanted.samples), ()
        return [plain, *_mirrored(forward, image, wanted)], (NO_DROPOUT,)
    return [plain, *_mirrored(forward, image, wanted)], ()


def dropout_layers(network: nn.Module) -> tuple[nn.Module, ...]:
    """The layers that would drop something in training."""
    return tuple(layer for layer in network.modules() if isinstance(layer, DROPOUT) and layer.p > 0)


def _with_dropout(forward: Forward, image: Tensor, layers: tuple[nn.Module, ...], count: int) -> list[Tensor]:
    with torch.random.fork_rng(), _training(layers):
        torch.manual_seed(SEED)
        return [forward(image) for _ in range(count)]


@contextmanager
def _training(layers: tuple[nn.Module, ...]) -> Iterator[None]:
    """These layers alone in train mode; batch norm keeps its statistics."""
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()


def _mirrored(forward: Forward, image: Tensor, wanted: Uncertainty) -> Iterator[Tensor]:
    """Outputs for the mirrored image, mirrored back where they are maps."""
    for axes in mirrors(wanted, image.ndim - 2):
        output = forward(torch.flip(image, axes))
        yield torch.flip(output, axes) if output.ndim == image.ndim else output


def mirrors(wanted: Uncertainty, spatial_axes: int) -> tuple[tuple[int, ...], ...]:
    """The axes of (batch, channel, ...) to flip, for each sample after the plain one; at most `samples` in all.

    An axis that the image does not have (the default of 3D, for a 2D image) is the last one instead.
    """
    axes = sorted({min(axis, spatial_axes - 1) + 2 for axis in wanted.axes})
    every = [chosen for count in range(1, len(axes) + 1) for chosen in combinations(axes, count)]
    return tuple(every[: wanted.samples - 1])
