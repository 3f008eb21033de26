"""Segmentation: Dice with cross-entropy, or with a focal loss where the structures are lesions."""

import math

import torch
from monai.losses import DiceCELoss, DiceFocalLoss
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Activation
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.segment import labels_of
from dicomnode.learn.train.pool import Batch, Pool
from dicomnode.learn.train.task import CANNOT_TELL, Figure

DEEP = 6
"""Axes of (batch, depth of supervision, channel, ...): DynUNet's in train mode."""


class Segmenting:
    """Every structure of dicom.toml against the label map."""

    merit = "Dice"

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        loss = DiceFocalLoss if any(segment.lesions for segment in bundle.dicom.segments) else DiceCELoss
        self._exclusive = bundle.activation is not Activation.SIGMOID
        self._loss = loss(softmax=self._exclusive, sigmoid=not self._exclusive)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Mean over a batch, by the weights of its labels."""
        each = self._of(_finest(network(batch["image"])), batch["mask"])
        weighted: Tensor = (each * batch["weight"]).sum() / batch["weight"].sum()
        return weighted

    def _of(self, output: Tensor, mask: Tensor) -> Tensor:
        """Loss of each image."""
        channels = torch.stack([self._channel(mask, n, output.shape[1]) for n in range(output.shape[1])], 1)
        return torch.stack([
            self._loss(one[None], truth[None]) for one, truth in zip(output, channels, strict=True)
        ])  # fmt: skip

    def _channel(self, mask: Tensor, channel: int, channels: int) -> Tensor:
        """Where the network should be sure of a channel: numbered as `infer.segment` numbers them."""
        first = 1 if (not self._exclusive and channels <= len(self._bundle.dicom.segments)) or channels == 1 else 0
        return (mask[:, 0] == channel + first).float()

    def figure(self, network: nn.Module, pool: Pool) -> Figure:
        """Mean Dice of the structures, each image as a whole through the bundle's own inferer; and the loss."""
        device, scores, losses = next(network.parameters()).device, [], []
        for n in range(len(pool)):
            sample = pool.sample(n)
            with torch.no_grad():
                output = _finest(self._bundle.inferer(sample["image"][None].to(device), network)).float().cpu()
            labels, truth = labels_of(self._bundle, output[0]), sample["mask"]
            scores += [score for score in dice(self._bundle, labels, truth[0]) if not math.isnan(score)]
            losses.append(float(self._of(output, truth[None])))
        mean = sum(scores) / len(scores) if scores else CANNOT_TELL
        return Figure(mean, -sum(losses) / max(1, len(losses)))


def dice(bundle: Bundle, answer: Tensor, truth: Tensor) -> tuple[float, ...]:
    """Dice of each structure of dicom.toml; NaN where neither label map has it."""
    found = []
    for segment in bundle.dicom.segments:
        one, other = answer == segment.index, truth == segment.index
        size = int(one.sum() + other.sum())
        found.append(2 * int((one & other).sum()) / size if size else float("nan"))
    return tuple(found)


def _finest(output: object) -> Tensor:
    """Output of a network; the finest of several, where it is supervised at more than one depth."""
    if isinstance(output, list | tuple):
        output = output[0]
    assert isinstance(output, Tensor)
    return output[:, 0] if output.ndim == DEEP else output
