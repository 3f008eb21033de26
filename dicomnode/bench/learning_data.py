"""The two hospitals of `dicomnode bench learn`: which images may be used for what, by whole groups, fixed by hash.

A hospital is a folder with `index.csv` (path, label, group) and its images. A group is a patient, a paper, or slices
beside one another; it is never in two parts.
"""

import csv
import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from dicomnode.errors import ConfigFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.grid import network_input
from dicomnode.learn.sets.manifest import ITEMS, load_set, save_set
from dicomnode.learn.values import Item, Source, Split, TrainingSet
from dicomnode.values import Volume

OF_A = {Split.RETENTION: 0.30, Split.VALIDATION: 0.15, Split.CALIBRATION: 0.15, Split.TRAIN: 0.40}
"""Shares of the first hospital's groups, of each class; the first are held out for ever."""
TEST_GROUPS_OF_A_CLASS = 11
"""Of the second hospital."""
OF_B = {Split.TRAIN: 0.6, Split.VALIDATION: 0.2, Split.CALIBRATION: 0.2}
"""Shares of what is not test: of the groups, and of the labelled images."""


@dataclass(frozen=True)
class Picture:
    """One labelled image."""

    path: Path
    label: int
    group: str


def pictures(folder: Path) -> list[Picture]:
    """The images of a hospital.

    Raises:
        ConfigFault: there is no index.csv with path, label and group.
    """
    try:
        with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
            return [Picture(folder / row["path"], int(row["label"]), row["group"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError) as fault:
        raise ConfigFault(f"{folder} needs an index.csv with path, label and group: {fault}") from fault


def groups_of(found: Sequence[Picture], label: int) -> list[str]:
    """The groups of one class in the order of their hash."""
    groups = {picture.group for picture in found if picture.label == label}
    return sorted(groups, key=lambda group: hashlib.sha256(f"dicomnode bench learn {group}".encode()).digest())


def parted(groups: Sequence[str], shares: Mapping[Split, float]) -> dict[str, Split]:
    """Each group's part, the first groups in the first part."""
    ends = np.cumsum([round(share * len(groups)) for share in shares.values()])
    splits = list(shares)
    return {
        group: splits[min(int(np.searchsorted(ends, n, "right")), len(splits) - 1)] for n, group in enumerate(groups)
    }


def splits_of_a(found: Sequence[Picture]) -> dict[str, Split]:
    """The part of every group of the first hospital."""
    return parted(groups_of(found, 0), OF_A) | parted(groups_of(found, 1), OF_A)


def sealed_at_b(found: Sequence[Picture]) -> list[str]:
    """The test groups of the second hospital: fixed before anything was run."""
    return [group for label in (0, 1) for group in groups_of(found, label)[:TEST_GROUPS_OF_A_CLASS]]


def labelled_at_b(found: Sequence[Picture], seed: int, size: int) -> Iterator[tuple[Picture, Split]]:
    """So many labelled images of the second hospital, half of each class; a larger size holds every smaller one's.

    They come from as many groups as there are, in turn: many patients with a few slices each.
    """
    test = set(sealed_at_b(found))
    for label in (0, 1):
        groups = [group for group in groups_of(found, label) if group not in test]
        rng = random.Random(f"{seed} {label}")  # noqa: S311 -- a draw of images
        rng.shuffle(groups)
        where = parted(groups, OF_B)
        for split, share in OF_B.items():
            own = [_shuffled(found, group, rng) for group in groups if where[group] is split]
            in_turn = [images[n] for n in range(max(map(len, own))) for images in own if n < len(images)]
            yield from ((picture, split) for picture in in_turn[: round(size * share / 2)])


def _shuffled(found: Sequence[Picture], group: str, rng: random.Random) -> list[Picture]:
    images = [picture for picture in found if picture.group == group]
    rng.shuffle(images)
    return images


class Kept:
    """Items in a folder, made once with a bundle's own preprocessing."""

    def __init__(self, folder: Path, bundle: Bundle, digest: str) -> None:
        self.folder, self.bundle, self.digest = folder, bundle, digest

    def items(self, found: Sequence[tuple[Picture, Split]]) -> tuple[Item, ...]:
        """Items of these images."""
        return tuple(self._item(picture, split) for picture, split in found)

    def set(self, items: tuple[Item, ...]) -> tuple[TrainingSet, Path]:
        """The training set of these items, and its manifest."""
        made = TrainingSet("", self.bundle.folder.name, self.digest, "of the bench", items, self.folder / ITEMS)
        path = save_set(made, self.folder / "sets")
        return load_set(path), path

    def _item(self, picture: Picture, split: Split) -> Item:
        content = picture.path.read_bytes()
        item_id = hashlib.sha256(content + str(picture.label).encode()).hexdigest()
        group = hashlib.sha256(picture.group.encode()).hexdigest()[:16]
        item = Item(item_id, group, item_id[:16], split, (float(picture.label),), source=Source.TABLE)
        path = self.folder / ITEMS / item.file
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            image = network_input(self.bundle, _volume(picture.path)).as_tensor().contiguous()
            save_file({"image": image}, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
        return replace(item, split=split)


def _volume(path: Path) -> Volume:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"), np.float32)
    return Volume(pixels[None], np.eye(4), (), "", None, has_geometry=False)
