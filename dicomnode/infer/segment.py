"""A segmentation: the network's output as labels on the source grid.

The bundle's own postprocessing decides the labels, as it did when the bundle was evaluated; what it
leaves out (activation, way back, decision) is done here. Channels that dicom.toml does not name are
background.
"""

import math

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from dicomnode.bundles.dicom_toml import Activation
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.grid import like, nothing_to_undo, on_slices, to_source
from dicomnode.values import Segmentation, Volume


def segmentation(
    bundle: Bundle, volume: Volume, image: MetaTensor, output: Tensor, samples: list[Tensor]
) -> Segmentation:
    """Labels, and the uncertainty inside each, from the network's output (1, channel, ...)."""
    decided = _decided(bundle, image, output[0])
    labels = _named(bundle, np.rint(on_slices(bundle, volume, decided)).astype(np.uint8))
    if not samples:
        return Segmentation(labels)
    entropy = entropy_of(torch.stack([_probabilities(bundle.activation, sample[0]) for sample in samples]).mean(0))
    spread = on_slices(bundle, volume, to_source(bundle, image, entropy[None])[0])
    return Segmentation(labels, _inside(labels, spread))


def probability_map(bundle: Bundle, volume: Volume, image: MetaTensor, output: Tensor) -> NDArray[np.float16] | None:
    """Probability in each voxel that it belongs to any structure of dicom.toml, (slice, row, column).

    None where nothing says what the network's output (1, channel, ...) means.
    """
    if bundle.activation is Activation.NONE:
        return None
    found = _of_any(bundle, _activated(bundle.activation, output[0]))
    back = on_slices(bundle, volume, to_source(bundle, image, found[None])[0])
    return np.clip(back, 0, 1).astype(np.float16)


def labels_of(bundle: Bundle, output: Tensor) -> Tensor:
    """The label of each voxel on the network's own grid, from its output (channel, ...)."""
    labels = _labels(bundle, _activated(bundle.activation, output))
    return torch.from_numpy(_named(bundle, labels.numpy().astype(np.uint8)))


def entropy_of(probabilities: Tensor) -> Tensor:
    """Entropy of (channel, ...) in each voxel, 0 (sure) to 1 (all alike); channels that exclude one another."""
    entropy: Tensor = torch.special.entr(probabilities).sum(0) / math.log(max(2, len(probabilities)))
    return entropy


def _decided(bundle: Bundle, image: MetaTensor, output: Tensor) -> Tensor:
    """Labels on the source grid, (...)."""
    done: Tensor = like(image, output)
    if bundle.postprocessing is not None:
        with nothing_to_undo():
            done = bundle.postprocessing({bundle.image_key: image, "pred": done})["pred"]
    done = done.as_tensor() if isinstance(done, MetaTensor) else torch.as_tensor(done)
    maps = len(done) > 1 or len(output) == 1
    if maps and not bundle.activates:
        done = _activated(bundle.activation, done)
    if not bundle.inverts:
        done = to_source(bundle, image, done.float(), nearest=not maps)
    return _labels(bundle, done) if maps else done[0]


def _labels(bundle: Bundle, maps: Tensor) -> Tensor:
    """The label of each voxel, from a map for each channel."""
    if bundle.activation is not Activation.SIGMOID and len(maps) > 1:
        return maps.argmax(0)
    best, channel = maps.max(0)
    without_background = len(maps) <= len(bundle.dicom.segments)
    return torch.where(best >= 0.5, channel + (1 if without_background else 0), 0)


def _of_any(bundle: Bundle, active: Tensor) -> Tensor:
    """The channels of named structures as one, numbered as `_labels` numbers them."""
    if len(active) == 1:
        return active[0]
    first = 1 if bundle.activation is Activation.SIGMOID and len(active) <= len(bundle.dicom.segments) else 0
    named = active[[segment.index - first for segment in bundle.dicom.segments if segment.index - first < len(active)]]
    return named.max(0).values if bundle.activation is Activation.SIGMOID else named.sum(0)


def _activated(activation: Activation, output: Tensor) -> Tensor:
    if activation is Activation.SOFTMAX:
        return output.softmax(0) if len(output) > 1 else output.sigmoid()
    return output.sigmoid() if activation is Activation.SIGMOID else output


def _probabilities(activation: Activation, output: Tensor) -> Tensor:
    """(channel, ...) that sum to 1: for a sigmoid, of the most probable channel and of none."""
    active = _activated(activation, output)
    if activation is Activation.SOFTMAX and len(active) > 1:
        return active
    best = active.max(0).values.clamp(0, 1)
    return torch.stack([1 - best, best])


def _named(bundle: Bundle, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    named = [segment.index for segment in bundle.dicom.segments]
    return np.where(np.isin(labels, named), labels, 0).astype(np.uint8)


def _inside(labels: NDArray[np.uint8], spread: NDArray[np.float32]) -> dict[int, float]:
    return {int(n): float(np.clip(spread[labels == n].mean(), 0, 1)) for n in np.unique(labels) if n}
