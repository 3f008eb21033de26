"""Fit the domain check and the calibration of the shipped weights, on radiographs alone.

Run from the bundle's root, with dicomnode installed: ``python -m scripts.fit_domain --dataset_dir DIR``. Writes
``models/domain.npz`` and prints the calibration that ``dicom.toml`` must hold. What is usual is learnt from every
third training radiograph, the limit from the validation and calibration splits, the calibration from the calibration
split; no image from outside the domain takes part.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

from dicomnode.infer.domain import features_of, vectors_of
from scripts.radiographs import Radiographs, read_split
from scripts.shipped import ROOT, Calibration, network_of

MODULES = ("features.pool0", "features.transition1", "features.transition2", "features.transition3")
"""Where the network is looked into, from shallow to deep."""
USUAL = 0.975
"""The share of held-out radiographs whose distance counts as usual, when distances are compared."""
ACCEPTED = 0.985
"""The share of held-out radiographs that the check lets pass."""
STEPS = {"train": 3, "validation": 1, "calibration": 1}
"""The splits that are read: all radiographs, or every third."""
SENSITIVITY = 0.95
"""What the decision threshold is chosen for."""


@dataclass(frozen=True)
class Measured:
    """What one split looks like to the domain check and to the network."""

    vectors: dict[str, np.ndarray]
    """(image, length) by name."""
    logits: np.ndarray
    """(image,)"""


@dataclass(frozen=True)
class Fitted:
    """One vector's spread over the domain."""

    mean: np.ndarray
    whitening: np.ndarray
    centre: float
    spread: float
    excess: np.ndarray
    """Of each held-out radiograph."""


@torch.inference_mode()
def measure(network: torch.nn.Module, data: Radiographs) -> Measured:
    """All vectors and logits of one split."""
    parts, logits = [], []
    keep = network.register_forward_hook(lambda _module, _inputs, output: logits.append(output[:, 0].float()))
    for chosen in data.images.split(16):
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(vectors_of(chosen, features_of(network, chosen.float(), MODULES)))
    keep.remove()
    joined = {name: torch.cat([part[name] for part in parts]).double().numpy() for name in parts[0]}
    return Measured(joined, torch.cat(logits).double().numpy())


def joined(one: Measured, other: Measured) -> dict[str, np.ndarray]:
    """The vectors of two splits together."""
    return {name: np.concatenate([vectors, other.vectors[name]]) for name, vectors in one.vectors.items()}


def fit(train: np.ndarray, held_out: np.ndarray) -> Fitted:
    """Learn one vector's spread from the training radiographs, and what is usual from held-out ones."""
    learnt = LedoitWolf().fit(train)
    whitening = np.linalg.cholesky(learnt.get_precision())
    distance = np.log(np.linalg.norm((held_out - learnt.location_) @ whitening, axis=1) + 1e-6)
    centre = float(np.median(distance))
    spread = float(np.quantile(distance, USUAL)) - centre
    return Fitted(learnt.location_, whitening, centre, spread, (distance - centre) / spread)


def save(fitted: dict[str, Fitted], path: Path) -> float:
    """Write the domain check; the limit."""
    limit = float(np.quantile(np.max([one.excess for one in fitted.values()], axis=0), ACCEPTED))
    arrays = {"names": np.array(list(fitted)), "limit": np.array(limit)}
    arrays["centres"] = np.array([one.centre for one in fitted.values()])
    arrays["spreads"] = np.array([one.spread for one in fitted.values()])
    for index, one in enumerate(fitted.values()):
        arrays[f"mean_{index}"] = one.mean.astype(np.float32)
        arrays[f"whitening_{index}"] = one.whitening.astype(np.float32)
    np.savez_compressed(path, **arrays)
    return limit


def calibrate(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Platt's calibration, and the highest threshold with the sensitivity asked for."""
    platt = LogisticRegression(C=np.inf).fit(logits[:, None], labels)
    plain = Calibration(float(platt.coef_[0, 0]), float(platt.intercept_[0]), threshold=0.5)
    sick = np.sort(plain.probability(logits[labels == 1]))
    missed = int(np.floor((1 - SENSITIVITY) * len(sick)))
    return Calibration(plain.slope, plain.intercept, float(sick[missed]))


def main() -> None:
    """Fit both and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network = network_of()
    data = {name: read_split(ROOT, options.dataset_dir, name, step=step) for name, step in STEPS.items()}
    found = {name: measure(network, one) for name, one in data.items()}
    held_out = joined(found["validation"], found["calibration"])
    fitted = {name: fit(vectors, held_out[name]) for name, vectors in found["train"].vectors.items()}
    platt = calibrate(found["calibration"].logits, data["calibration"].labels.numpy())
    said = {"limit": save(fitted, ROOT / "models/domain.npz"), **vars(platt)}
    print(json.dumps({name: round(value, 4) for name, value in said.items()}, indent=4))


if __name__ == "__main__":
    main()
