"""A training set of random images for the chest X-ray model: what training costs does not depend on what they show."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

from dicomnode.bundles.digest import digest
from dicomnode.errors import ConfigFault
from dicomnode.learn.sets.manifest import ITEMS, save_set
from dicomnode.learn.values import Item, Split, TrainingSet

BUNDLE = Path(__file__).parents[2] / "models" / "chest_xray_pneumonia"
SIZE = 96
"""Rows and columns of an image."""


def require_bundle() -> Path:
    """The model of the repository.

    Raises:
        ConfigFault: this is no clone of it.
    """
    if not (BUNDLE / "models" / "model.pt").is_file():
        raise ConfigFault("this needs a clone of the repository, with models/chest_xray_pneumonia")
    return BUNDLE


def set_made(folder: Path, train: int, stop: int = 0) -> Path:
    """The manifest of a training set of so many images, a patient each, half of them positive."""
    torch.manual_seed(0)
    splits = [Split.TRAIN] * train + [Split.VALIDATION] * stop
    items = tuple(_item(folder / ITEMS, number, split) for number, split in enumerate(splits))
    found = digest(require_bundle())
    return save_set(TrainingSet("", BUNDLE.name, found, "bench", items, folder / ITEMS), folder / "sets")


def _item(folder: Path, number: int, split: Split) -> Item:
    name = hashlib.sha256(str(number).encode()).hexdigest()
    item = Item(name, f"patient {number}", f"study {number}", split, (float(number % 2),))
    path = folder / item.file
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"image": torch.rand(1, SIZE, SIZE)}, path)
    return item
