"""A tiny world to learn from: bundles with a small network, and training sets whose answers a reader can predict."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from dicomnode.bundles.approval import version_of
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.sets.manifest import load_set, save_set
from dicomnode.learn.values import Item, RecipeName, Split, TrainingSet
from dicomnode.values import ModelVersion
from tests.bundles_made import LOAD, classification_toml

SIZE = 16
NETWORK = '''
from torch import nn


class Small(nn.Module):
    """Two convolutions with batch norm, the mean over the image, and a linear head."""

    def __init__(self, outputs=1, width=8):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        )
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        return self.head(self.features(x).flatten(2).mean(2))
'''


def classifier_made(
    folder: Path, *, outputs: int = 1, activation: str = "sigmoid", first: str = "index = 0", more: str = ""
) -> ModelVersion:
    """A bundle with a classifier of a few thousand parameters, with weights by chance and lively statistics."""
    findings = (first, *(f"index = {n}" for n in range(1, outputs)))
    dicom = classification_toml("small", activation=activation, findings=findings, more=more)
    return network_made(folder, "small", dicom, {"outputs": outputs})


def network_made(
    folder: Path, name: str, dicom: str, arguments: Mapping[str, Any], *, more: Mapping[str, Any] | None = None,
    code: str = NETWORK, of: str = "Small", seed: int = 5, inferer: str = "",
) -> ModelVersion:  # fmt: skip
    """A bundle around a network whose code is given."""
    bundle = folder / name
    for part in ("configs", "models", "scripts"):
        (bundle / part).mkdir(parents=True)
    module = f"scripts_{hashlib.sha256(str(bundle).encode()).hexdigest()[:12]}"
    (bundle / "scripts" / "__init__.py").write_text("")
    (bundle / f"{module}.py").write_text(code)
    (bundle / "configs" / "metadata.json").write_text(json.dumps({"version": "1.2.3"}))
    (bundle / "dicom.toml").write_text(dicom)
    config: dict[str, Any] = {
        "network_def": {"_target_": f"{module}.{of}", **arguments},
        "preprocessing": {"_target_": "Compose", "transforms": list(LOAD)},
        "inferer": {"_target_": "SimpleInferer"},
    }
    if inferer:
        config["inferer"] = {"_target_": f"{module}.{inferer}", "detector": "@detector"}
    (bundle / "configs" / "inference.json").write_text(json.dumps(config | dict(more or {})))
    torch.save(_weights(code, of, arguments, seed), bundle / "models" / "model.pt")
    return version_of(bundle)


def _weights(code: str, of: str, arguments: Mapping[str, Any], seed: int) -> dict[str, torch.Tensor]:
    names: dict[str, Any] = {}
    exec(code, names)
    torch.manual_seed(seed)
    network = names[of](**arguments)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if "running" in name:
                buffer.add_(0.2 * torch.rand_like(buffer))
    return dict(network.state_dict())


@dataclass(frozen=True)
class Stripes:
    """Images of noise and stripes: along the columns in those without a finding, along the rows in the others.

    The stripes of a second finding are twice as strong.
    """

    contrast: float = 1.0
    seed: int = 1

    def image(self, n: int, *, positive: bool, finding: int = 0) -> torch.Tensor:
        """(1, 16, 16)."""
        rng = np.random.default_rng((self.seed, n))
        stripes = (
            (1 + finding) * self.contrast * np.sign(np.sin(np.arange(SIZE) * np.pi / 2 + rng.uniform(0, 2 * np.pi)))
        )
        image = rng.normal(0.0, 0.5, (1, SIZE, SIZE)) + (stripes[:, None] if positive else stripes[None])
        return torch.from_numpy(image.astype(np.float32))


def set_made(
    folder: Path, version: ModelVersion, patients: Mapping[Split, int], *, world: Stripes | None = None,
    outputs: int = 1, unknown: int = 0,
) -> Path:  # fmt: skip
    """Manifest of a training set: one image a patient, every second one positive, of each finding in turn.

    Of the last finding every so manieth label is unknown, where that is asked.
    """
    world, items, n = world or Stripes(), [], 0
    for split, count in patients.items():
        for _ in range(count):
            present = [float(n % 2 == 0 and column == n // 2 % outputs) for column in range(outputs)]
            tensors = {"image": world.image(n, positive=any(present), finding=int(present[-1]) * (outputs - 1))}
            known: list[float | None] = list(present)
            if unknown and n % unknown == 1:
                known[-1] = None
            items.append(item_made(folder, tensors, f"p{world.seed}-{n}", split, known))
            n += 1
    return manifest_made(folder, version, items)


def item_made(
    folder: Path, tensors: Mapping[str, torch.Tensor], patient: str, split: Split,
    targets: Sequence[float | None] = (), *, weight: float = 1.0,
) -> Item:  # fmt: skip
    """One item with its file."""
    item_id = hashlib.sha256(f"{patient}{tuple(targets)}".encode()).hexdigest()
    item = Item(item_id, patient, f"study of {patient}", split, tuple(targets), weight)
    path = folder / "items" / item.file
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), path)
    return item


def manifest_made(folder: Path, version: ModelVersion, items: Sequence[Item]) -> Path:
    """The manifest of these items."""
    training = TrainingSet("", version.name, version.digest, "as it is", tuple(items), folder / "items")
    return save_set(training, folder / "sets")


def order_made(version: ModelVersion, manifest: Path, recipe: RecipeName, **more: Any) -> TrainOrder:
    """A train order on one thread."""
    told = {"seed": 3, "device": "cpu", "threads": 1, "trials": 0} | more
    return TrainOrder(bundle=version.folder, digest=version.digest, training_set=manifest, recipe=recipe, **told)


def items_of(manifest: Path, *splits: Split) -> tuple[str, ...]:
    """Ids of the items of some splits."""
    return tuple(item.item_id for item in load_set(manifest).of(*splits))
