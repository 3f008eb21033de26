"""A classification: the network's outputs as calibrated probabilities, their spread, and a map of where."""

import copy
import math
import statistics

import numpy as np
import torch
from monai.data import MetaTensor
from monai.visualize import GradCAM
from numpy.typing import NDArray
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Activation, Finding
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.grid import like, on_slices, to_source
from dicomnode.values import Classification, FindingScore, Volume

NEARLY = 1e-6
"""Probabilities closer to 0 or 1 than this have no usable logit."""


def classification(
    bundle: Bundle, image: MetaTensor, output: Tensor, samples: list[Tensor], saliency: NDArray[np.float32] | None
) -> Classification:
    """Scores of every finding, from the network's output (1, column)."""
    logits, others = (
        logits_of_output(bundle, image, output),
        [logits_of_output(bundle, image, sample) for sample in samples],
    )
    scores = (_score(n, finding, logits, others) for n, finding in enumerate(bundle.dicom.findings))
    return Classification(tuple(scores), saliency)


def withheld(bundle: Bundle) -> Classification:
    """The answer outside the evaluated domain: every finding, nothing about any."""
    return Classification(tuple(FindingScore(n, None, None, None) for n in range(len(bundle.dicom.findings))))


def probability(finding: Finding, logit: float) -> float:
    """Calibrated (Platt): sigmoid(slope × logit + intercept)."""
    z = finding.slope * logit + finding.intercept
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def saliency_map(
    bundle: Bundle, volume: Volume, image: MetaTensor, output: Tensor
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    """Grad-CAM of the likeliest finding, 0..1 on the source grid, and notes; None where no layer is named.

    Source: Selvaraju et al., Grad-CAM (2017), as in `monai.visualize`.
    """
    layer = bundle.dicom.saliency.layer
    if layer is None:
        return None, ()
    finding = _likeliest(bundle, logits_of_output(bundle, image, output))
    back = to_source(bundle, image, attention(bundle.network, layer, image.as_tensor(), finding.index))
    notes = (f"saliency map of {finding.concept.meaning}",) if len(bundle.dicom.findings) > 1 else ()
    return np.clip(on_slices(bundle, volume, back[0]), 0, 1).astype(np.float32), notes


def attention(network: nn.Module, layer: str, image: Tensor, column: int) -> Tensor:
    """Grad-CAM of one output on the network's own grid: (1, ...) from 0 to 1, of an image (channel, ...)."""
    copied = _hookable(network)
    device = next(copied.parameters()).device
    cam = GradCAM(nn_module=copied, target_layers=layer, postprocessing=_from_0_to_1)
    found = cam(x=image[None].float().to(device).requires_grad_(), class_idx=column)
    return torch.as_tensor(found)[0].detach()


def _hookable(network: nn.Module) -> nn.Module:
    """A copy, with which the hooks stay; they cannot see what a later layer overwrites in place."""
    copied = copy.deepcopy(network)
    for layer in copied.modules():
        if getattr(layer, "inplace", False):
            setattr(layer, "inplace", False)  # noqa: B010 -- of many kinds of layer
    return copied


def _from_0_to_1(found: Tensor) -> Tensor:
    """Relative to the largest; a map of nothing stays nothing; MONAI's own normaliser turns it upside down."""
    return found / found.max().clamp_min(torch.finfo(found.dtype).tiny)


def _likeliest(bundle: Bundle, logits: tuple[float, ...]) -> Finding:
    """The finding that exceeds its threshold by most."""
    return max(bundle.dicom.findings, key=lambda f: probability(f, logits[f.index]) - f.threshold)


def _score(n: int, finding: Finding, logits: tuple[float, ...], others: list[tuple[float, ...]]) -> FindingScore:
    if finding.index >= len(logits):
        raise ModelFault(f"dicom.toml names output {finding.index}, the network has {len(logits)}")
    found = probability(finding, logits[finding.index])
    spread = statistics.pstdev(probability(finding, o[finding.index]) for o in others) if others else None
    return FindingScore(n, found, spread, found >= finding.threshold)


def logits_of_output(bundle: Bundle, image: MetaTensor, output: Tensor) -> tuple[float, ...]:
    """A logit for each column of (1, column): as they are, or of the probability that softmax or the bundle gives."""
    if bundle.dicom.activation is Activation.SIGMOID:
        return tuple(output.flatten().tolist())
    if bundle.dicom.activation is Activation.SOFTMAX:
        return _of_probabilities(output.flatten().softmax(0))
    done: Tensor = output[0]
    if bundle.postprocessing is not None:
        done = bundle.postprocessing({bundle.image_key: image, "pred": like(image, done)})["pred"]
    return _of_probabilities(torch.as_tensor(done).flatten().float())


def _of_probabilities(probabilities: Tensor) -> tuple[float, ...]:
    return tuple(torch.logit(probabilities, eps=NEARLY).tolist())
