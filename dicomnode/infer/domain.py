"""A learnt check that a radiograph is like those a model was evaluated on.

Several vectors are taken from one preprocessed image: a thumbnail, its grey levels, its texture, and what the
network itself sees at several depths. For each, the Mahalanobis distance to the training radiographs is measured; the
largest, in units of what is usual for held-out radiographs, is the score. Only radiographs of the domain were used to
fit it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

THUMBNAIL = 24
"""Rows and columns of the thumbnail."""
BANDS = (2, 4, 8, 16)
"""Pixels over which the texture's bands are averaged."""
SEEN = 32
"""Numbers that are kept of what the network saw."""
CELLS = 4
"""Rows and columns of the grid over which texture is measured."""
WORDS = {
    "thumbnail": "its overall shape is unlike",
    "grey_levels": "its grey levels are unlike",
    "texture": "its texture is unlike",
}
"""What a reader is told, by vector; the network's own vectors say "what the model sees in it is unlike"."""


@dataclass(frozen=True)
class DomainScore:
    """How far one image lies from the radiographs a model was evaluated on."""

    score: float
    """Largest distance; 0 is the median of held-out radiographs, 1 their 97.5th percentile."""
    limit: float
    """The score above which an image is outside."""
    inside: bool
    why: str
    """In words for the reader."""
    seen: tuple[float, ...] = ()
    """What the network saw, in SEEN numbers; for the watch on drift."""


@dataclass(frozen=True)
class Measure:
    """One vector of an image and how it is spread over the domain."""

    name: str
    """A key of ``WORDS``, or the name of a module of the network."""
    mean: Tensor
    """(length,)"""
    whitening: Tensor
    """(length, length): the distance is the length of (vector - mean) @ whitening."""
    centre: float
    """Median of the log distance over held-out radiographs."""
    spread: float
    """Their 97.5th percentile less the median."""

    def excess(self, vector: Tensor) -> float:
        """The distance of one vector, as ``DomainScore.score`` counts it."""
        distance = torch.linalg.vector_norm((vector - self.mean) @ self.whitening)
        return (float(torch.log(distance + 1e-6)) - self.centre) / self.spread


@dataclass(frozen=True)
class Domain:
    """What was learnt of the radiographs of one bundle."""

    measures: tuple[Measure, ...]
    limit: float

    def check(self, network: nn.Module, image: Tensor) -> DomainScore:
        """The score of one preprocessed image (1, 1, row, column), 0 to 1, with the bundle's network in eval mode."""
        return self.score(image, features_of(network, image, self.modules()))

    def modules(self) -> tuple[str, ...]:
        """The modules of the network whose output is looked at."""
        return tuple(measure.name for measure in self.measures if measure.name not in WORDS)

    def score(self, image: Tensor, features: dict[str, Tensor]) -> DomainScore:
        """The score of one preprocessed image (1, 1, row, column) and of ``features_of`` it."""
        if not bool(torch.isfinite(image).all()):
            return DomainScore(float("inf"), self.limit, inside=False, why="it holds values that are no numbers")
        vectors = vectors_of(image, features)
        excesses = {measure.name: measure.excess(vectors[measure.name][0]) for measure in self.measures}
        worst = max(excesses, key=excesses.__getitem__)
        return replace(self._answer(worst, excesses[worst]), seen=self._seen(vectors))

    def _seen(self, vectors: dict[str, Tensor]) -> tuple[float, ...]:
        """The network's own vectors, whitened, in a fixed random projection."""
        own = [(vectors[m.name][0] - m.mean) @ m.whitening for m in self.measures if m.name not in WORDS]
        return projected(torch.cat(own)) if own else ()

    def _answer(self, worst: str, score: float) -> DomainScore:
        inside = score <= self.limit  # false for a score that is no number
        unlike = WORDS.get(worst, "what the model sees in it is unlike")
        why = f"{unlike} the radiographs the model was evaluated on (score {score:.2f}, limit {self.limit:.2f})"
        return DomainScore(score, self.limit, inside, "" if inside else why)


def projected(vector: Tensor) -> tuple[float, ...]:
    """SEEN numbers of a vector of any length: the same random directions every time."""
    directions = torch.randn(len(vector), SEEN, generator=torch.Generator().manual_seed(SEEN))
    return tuple(float(number) for number in vector @ directions / len(vector) ** 0.5)


def load_domain(path: Path) -> Domain:
    """Read a domain check from the bundle's ``.npz`` (plain arrays; nothing in it is unpickled)."""
    with np.load(path, allow_pickle=False) as arrays:
        names = [str(name) for name in arrays["names"]]
        measures = [
            Measure(
                name=name,
                mean=torch.from_numpy(arrays[f"mean_{i}"].astype(np.float32)),
                whitening=torch.from_numpy(arrays[f"whitening_{i}"].astype(np.float32)),
                centre=float(arrays["centres"][i]),
                spread=float(arrays["spreads"][i]),
            )
            for i, name in enumerate(names)
        ]
        return Domain(tuple(measures), float(arrays["limit"]))


def vectors_of(images: Tensor, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every vector, (image, length), of preprocessed images (image, 1, row, column), by name of its measure."""
    pixels = plain(images)
    return features | {"thumbnail": thumbnail(pixels), "grey_levels": grey_levels(pixels), "texture": texture(pixels)}


def thumbnail(images: Tensor) -> Tensor:
    """(image, 576): the image made very small."""
    return F.adaptive_avg_pool2d(images, THUMBNAIL).flatten(1)


def grey_levels(images: Tensor) -> Tensor:
    """(image, 19): the 5th, 10th … 95th percentile of the pixels."""
    return torch.quantile(images.flatten(1), torch.linspace(0.05, 0.95, 19), dim=1).T


def texture(images: Tensor) -> Tensor:
    """(image, 64): the log energy of four bands of detail in each cell of a 4 × 4 grid."""
    levels = [images] + [F.avg_pool2d(images, size) for size in BANDS]
    energies = []
    for fine, coarse in pairwise(levels):
        detail = fine - F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
        energies.append(torch.log(F.adaptive_avg_pool2d(detail.square(), CELLS) + 1e-6).flatten(1))
    return torch.cat(energies, 1)


def features_of(network: nn.Module, images: Tensor, modules: tuple[str, ...]) -> dict[str, Tensor]:
    """(image, channel) by name: the mean of each channel that the named modules put out."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> RemovableHandle:
        def on_output(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            found[name] = plain(output).mean((2, 3))

        return network.get_submodule(name).register_forward_hook(on_output)

    handles = [keep(name) for name in modules]
    try:
        with torch.inference_mode():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


def plain(values: Tensor) -> Tensor:
    """A tensor as float32 on the CPU, without metadata or gradient."""
    return values.detach().as_subclass(Tensor).float().cpu()
