"""The radiographs of one split, preprocessed exactly as the bundle preprocesses them for inference."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose


@dataclass(frozen=True)
class Radiographs:
    """The radiographs of one split."""

    images: torch.Tensor
    """(image, 1, 224, 224), float16, 0 to 1."""
    labels: torch.Tensor
    """(image,), float32: 1 is pneumonia."""
    groups: np.ndarray
    """(image,): the child."""
    paths: tuple[str, ...]
    """The file of each image, within the data set."""


def preprocessing(bundle_root: Path) -> Compose:
    """The preprocessing of the bundle's inference config, from a file to a (1, 224, 224) tensor."""
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs/inference.json")
    transform: Compose = parser.get_parsed_content("preprocessing")
    return transform


def read_split(bundle_root: Path, dataset_dir: Path, split: str, *, step: int = 1) -> Radiographs:
    """The images of one split: ``train``, ``validation``, ``calibration`` or ``test``; all, or every ``step``-th."""
    with (bundle_root / "configs/split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split][::step]
    transform = preprocessing(bundle_root)
    images = [transform({"image": str(dataset_dir / row["path"])})["image"].as_tensor().half() for row in rows]
    return Radiographs(
        images=torch.stack(images),
        labels=torch.tensor([float(row["label"]) for row in rows]),
        groups=np.array([row["group"] for row in rows]),
        paths=tuple(row["path"] for row in rows),
    )
