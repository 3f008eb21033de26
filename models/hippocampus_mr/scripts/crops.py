"""The MR crops of one split, preprocessed exactly as the bundle preprocesses them for inference."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Orientation

LABELS = 3
"""Background, anterior, posterior."""


@dataclass(frozen=True)
class Crop:
    """One patient's crop."""

    group: str
    """The patient."""
    image: torch.Tensor
    """(1, x, y, z) in RAS, 1 mm, mean 0 and standard deviation 1."""
    mask: torch.Tensor
    """(x, y, z) on the same grid: 0 background, 1 anterior, 2 posterior."""


def preprocessing(bundle_root: Path) -> Compose:
    """The preprocessing of the bundle's inference config, from a file to a (1, x, y, z) tensor."""
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs/inference.json")
    transform: Compose = parser.get_parsed_content("preprocessing")
    return transform


def rows_of_split(bundle_root: Path, split: str) -> list[dict[str, str]]:
    """The rows of ``configs/split.csv`` of one split."""
    with (bundle_root / "configs/split.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def read_split(bundle_root: Path, dataset_dir: Path, split: str) -> list[Crop]:
    """All crops of one split: ``train``, ``validation`` or ``test``. Masks of this data set are on a 1 mm grid."""
    transform = preprocessing(bundle_root)
    read_mask = Compose([LoadImage(), EnsureChannelFirst(), Orientation(axcodes="RAS", labels=None)])
    return [
        Crop(
            group=row["group"],
            image=transform({"image": str(dataset_dir / row["path"])})["image"].as_tensor(),
            mask=read_mask(str(dataset_dir / row["mask"])).as_tensor()[0].long(),
        )
        for row in rows_of_split(bundle_root, split)
    ]
