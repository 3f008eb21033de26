"""The held-out figures of the shipped weights, with 95 % intervals, as JSON.

Run from the bundle's root, with dicomnode installed::

    python -m scripts.evaluate --dataset_dir DIR --outside ct=FOLDER --outside photographs=FOLDER

Intervals are from a bootstrap over children, all of a child's images together. Every ``--outside`` names a folder of
images that the domain check must recognise; inverted and blank images are made here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import brier_score_loss, roc_auc_score

from dicomnode.infer.domain import Domain, load_domain
from scripts.radiographs import Radiographs, preprocessing, read_split
from scripts.shipped import ROOT, calibration_of, network_of

RESAMPLES = 2_000
SEED = 20261121
SUFFIXES = (".png", ".jpg", ".jpeg")

Figure = Callable[[np.ndarray, np.ndarray], float]
"""A figure of (labels, probabilities)."""


def calibration_line(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(intercept, slope) of the labels' log odds over the predicted log odds, by Newton's method; ideal is (0, 1)."""
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    design = np.stack([np.ones_like(clipped), np.log(clipped / (1 - clipped))], 1)
    line = np.array([0.0, 1.0])
    for _ in range(25):
        expected = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        curvature = design.T @ (design * (expected * (1 - expected))[:, None])
        line = line + np.linalg.solve(curvature, design.T @ (labels - expected))
    return line


def figures_of(threshold: float) -> dict[str, Figure]:
    """Every figure that is told, by name."""
    return {
        "auc": roc_auc_score,
        "brier_score": brier_score_loss,
        "calibration_slope": lambda labels, probability: calibration_line(labels, probability)[1],
        "calibration_intercept": lambda labels, probability: calibration_line(labels, probability)[0],
        "sensitivity": lambda labels, probability: float((probability[labels == 1] >= threshold).mean()),
        "specificity": lambda labels, probability: float((probability[labels == 0] < threshold).mean()),
    }


def resamples(groups: np.ndarray) -> list[np.ndarray]:
    """The images of each bootstrap sample: children drawn with replacement."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    random = np.random.default_rng(SEED)
    return [
        np.concatenate([members[i] for i in random.integers(len(members), size=len(members))]) for _ in range(RESAMPLES)
    ]


def told(value: float, spread: list[float]) -> dict[str, float]:
    """A figure with its interval."""
    low, high = np.percentile(spread, [2.5, 97.5])
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def performance(data: Radiographs, probability: np.ndarray, threshold: float) -> dict[str, object]:
    """All figures of one split, with intervals."""
    labels, drawn = data.labels.numpy(), resamples(data.groups)
    found: dict[str, object] = {"images": len(labels), "children": len(np.unique(data.groups))}
    found["pneumonia"] = int(labels.sum())
    for name, figure in figures_of(threshold).items():
        found[name] = told(figure(labels, probability), [figure(labels[one], probability[one]) for one in drawn])
    for kind in ("bacteria", "virus"):
        chosen = np.array([f"_{kind}_" in path for path in data.paths])
        found[f"sensitivity_{kind}"] = round(float((probability[chosen] >= threshold).mean()), 4)
    return found


@dataclass(frozen=True)
class Looked:
    """What the network and the domain check say of some images."""

    logits: np.ndarray
    outside: np.ndarray
    """Whether the domain check says that the image is outside."""


def look(domain: Domain, network: torch.nn.Module, images: torch.Tensor) -> Looked:
    """Ask both about (image, 1, 224, 224), one image at a time, as the node does."""
    logits: list[float] = []
    hook = network.register_forward_hook(lambda _module, _inputs, output: logits.append(float(output[0, 0])))
    outside = [not domain.check(network, image[None].float()).inside for image in images]
    hook.remove()
    return Looked(np.array(logits), np.array(outside))


def images_in(folder: Path, most: int) -> torch.Tensor:
    """(image, 1, 224, 224): images of a folder, evenly chosen, as the bundle preprocesses them."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    transform = preprocessing(ROOT)
    chosen = paths[:: -(-len(paths) // most)]
    return torch.stack([transform({"image": str(path)})["image"].as_tensor() for path in chosen])


def blank_images() -> torch.Tensor:
    """(image, 1, 224, 224): nothing but one grey, a ramp, or noise, each in many strengths; as preprocessed."""
    random = torch.Generator().manual_seed(SEED)
    grey = [torch.full((1, 224, 224), level) for level in torch.linspace(0, 1, 20).tolist()]
    noise = [torch.rand((1, 224, 224), generator=random) for _ in range(10)]
    normal = [(0.5 + torch.randn((1, 224, 224), generator=random) * 0.18).clamp(0, 1) for _ in range(10)]
    ramp = torch.linspace(0, 1, 224).expand(1, 224, 224)
    ramps = [torch.rot90(ramp, turns, (1, 2)) for turns in range(4)]
    return torch.stack(grey + noise + normal + ramps)


def share(looked: Looked) -> dict[str, object]:
    """How many images were said to be outside."""
    return {"images": len(looked.outside), "said_to_be_outside": round(float(looked.outside.mean()), 4)}


def false_alarms(data: Radiographs, looked: Looked) -> dict[str, float]:
    """The share of radiographs said to be outside, with its interval."""
    return told(float(looked.outside.mean()), [float(looked.outside[one].mean()) for one in resamples(data.groups)])


def figures_for(data: Radiographs, folders: dict[str, Path], most: int) -> dict[str, object]:
    """All figures of one split, and of the images from outside."""
    network, domain, calibration = network_of(), load_domain(ROOT / "models/domain.npz"), calibration_of()
    looked = look(domain, network, data.images)
    strangers = {"inverted": 1 - data.images[::4].float(), "blank": blank_images()}
    strangers |= {name: images_in(folder, most) for name, folder in folders.items()}
    return {
        "threshold": calibration.threshold,
        "performance": performance(data, calibration.probability(looked.logits), calibration.threshold),
        "domain_check": {
            "false_alarms": false_alarms(data, looked),
            **{name: share(look(domain, network, images)) for name, images in strangers.items()},
        },
    }


def main() -> None:
    """Print the figures, and write them to ``docs/figures.json`` where they are of the test split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--split", default="test", choices=("train", "validation", "calibration", "test"))
    parser.add_argument("--outside", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--most", type=int, default=60, help="images taken of each folder, at most")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folders = {name: Path(folder) for name, _, folder in (each.partition("=") for each in options.outside)}
    data = read_split(ROOT, options.dataset_dir, options.split)
    figures = {"split": options.split, **figures_for(data, folders, options.most)}
    text = json.dumps(figures, indent=4) + "\n"
    print(text, end="")
    if options.split == "test":
        (ROOT / "docs/figures.json").write_text(text)


if __name__ == "__main__":
    main()
