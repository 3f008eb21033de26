"""The held-out figures of the shipped weights, with 95 % intervals, as JSON.

Run from the bundle's root: ``python -m scripts.evaluate --dataset_dir DIR``. Image files go through the bundle's own
preprocessing, inferer and postprocessing, and are compared with the masks on the grid of the file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import LoadImage
from scipy import ndimage

from scripts.crops import rows_of_split

RESAMPLES = 10_000
SEED = 20261121
LABELS = {"anterior": 1, "posterior": 2}


@dataclass(frozen=True)
class Agreement:
    """How one predicted mask agrees with the one a person drew."""

    group: str
    """The patient."""
    dice: dict[str, float]
    """Of each label."""
    hausdorff95_mm: dict[str, float]
    """95th percentile of the distance between the surfaces, of each label."""
    volume_ratio: float
    """Predicted over drawn volume, both parts together."""


class Bundle:
    """The bundle as shipped, ready to predict."""

    def __init__(self, root: Path) -> None:
        parser = ConfigParser()
        parser.read_config(root / "configs/inference.json")
        self.preprocessing = parser.get_parsed_content("preprocessing")
        self.inferer = parser.get_parsed_content("inferer")
        self.postprocessing = parser.get_parsed_content("postprocessing")
        self.device = parser.get_parsed_content("device")
        self.network = parser.get_parsed_content("network").eval()
        self.network.load_state_dict(torch.load(root / "models/model.pt", weights_only=True))

    @torch.inference_mode()
    def predict(self, image: MetaTensor) -> np.ndarray:
        """(x, y, z): the label of each voxel of an image, on the image's own grid."""
        data = {"image": image}
        for transform in self.preprocessing.transforms[1:]:  # the first one loads the file
            data = transform(data)
        ready = data["image"]
        logits = self.inferer(ready[None].to(self.device), self.network)[0].cpu()
        data["pred"] = MetaTensor(logits, meta=ready.meta, applied_operations=ready.applied_operations)
        labels: np.ndarray = self.postprocessing(data)["pred"][0].numpy().astype(np.uint8)
        return labels


def surface(mask: np.ndarray) -> np.ndarray:
    """The voxels of a mask that touch its outside."""
    inner: np.ndarray = mask & ~ndimage.binary_erosion(mask)
    return inner


def hausdorff95_mm(one: np.ndarray, other: np.ndarray, spacing_mm: list[float]) -> float:
    """The 95th percentile of the distance between two surfaces, both ways; infinite where one is empty."""
    if not one.any() or not other.any():
        return float("inf")
    away = [ndimage.distance_transform_edt(~surface(mask), sampling=spacing_mm) for mask in (one, other)]
    return float(np.percentile(np.concatenate([away[1][surface(one)], away[0][surface(other)]]), 95))


def agreement(group: str, predicted: np.ndarray, drawn: np.ndarray, spacing_mm: list[float]) -> Agreement:
    """Compare a predicted mask with the drawn one on the same grid."""
    pairs = {name: (predicted == label, drawn == label) for name, label in LABELS.items()}
    return Agreement(
        group=group,
        dice={name: float(2 * (p & d).sum() / max(1, p.sum() + d.sum())) for name, (p, d) in pairs.items()},
        hausdorff95_mm={name: hausdorff95_mm(p, d, spacing_mm) for name, (p, d) in pairs.items()},
        volume_ratio=float((predicted > 0).sum() / (drawn > 0).sum()),
    )


def thickened(array: MetaTensor, axis: int, thickness: int) -> MetaTensor:
    """An image or mask as thick slices along one axis: means of an image, the middle slice of a mask."""
    count = array.shape[axis] // thickness
    parts = array.as_tensor().narrow(axis, 0, count * thickness).unflatten(axis, (count, thickness))
    merged = parts.mean(axis + 1) if array.dtype.is_floating_point else parts.select(axis + 1, thickness // 2)
    affine = array.affine.clone()
    affine[:3, 3] += affine[:3, axis] * (thickness - 1) / 2
    affine[:3, axis] *= thickness
    return MetaTensor(merged, affine=affine)


def evaluate(bundle: Bundle, dataset_dir: Path, split: list[dict[str, str]], thick: tuple[int, int]) -> list[Agreement]:
    """Predict and compare every case of a split, as if its slices were ``thick = (axis, mm)``."""
    found = []
    for row in split:
        image = LoadImage(image_only=True)(str(dataset_dir / row["path"]))
        mask = LoadImage(image_only=True, dtype=np.uint8)(str(dataset_dir / row["mask"]))
        image, mask = thickened(image, *thick), thickened(mask, *thick)
        predicted = bundle.predict(MetaTensor(image.as_tensor(), affine=image.affine, meta=no_channel()))
        found.append(agreement(row["group"], predicted, mask.numpy(), image.affine[:3, :3].norm(dim=0).tolist()))
    return found


def no_channel() -> dict[str, object]:
    """What ``EnsureChannelFirstd`` needs to know of an image that has no channel axis yet."""
    return {"original_channel_dim": "no_channel"}


def with_interval(values: np.ndarray, figure: Callable[..., np.ndarray] = np.mean) -> dict[str, float]:
    """A figure over patients with its 95 % interval (bootstrap over patients, percentiles)."""
    drawn = np.random.default_rng(SEED).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(figure(values[drawn], axis=1), [2.5, 97.5])
    return {
        "value": round(float(figure(values, axis=0)), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def summary(found: list[Agreement]) -> dict[str, object]:
    """The figures over all patients."""
    dice = np.array([[one.dice[name] for name in LABELS] for one in found])
    distance = np.array([[one.hausdorff95_mm[name] for name in LABELS] for one in found])
    error = np.abs(np.array([one.volume_ratio for one in found]) - 1)
    return {
        "patients": len(found),
        "mean_dice": with_interval(dice.mean(1)),
        **{f"dice_{name}": with_interval(dice[:, i]) for i, name in enumerate(LABELS)},
        "lowest_dice": round(float(dice.min()), 4),
        **{f"hausdorff95_mm_{name}": with_interval(distance[:, i]) for i, name in enumerate(LABELS)},
        "volume_error_median": with_interval(error, np.median),
        "volume_within_10_percent": with_interval((error <= 0.10).astype(float)),
    }


def main() -> None:
    """Print the figures, and write them to ``docs/figures.json`` where they are of the test split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    root = Path(__file__).resolve().parent.parent
    bundle, rows = Bundle(root), rows_of_split(root, options.split)
    figures: dict[str, object] = {"split": options.split, "as_acquired": None}
    figures["as_acquired"] = summary(evaluate(bundle, options.dataset_dir, rows, (0, 1)))
    for axis, name in enumerate(("sagittal", "coronal", "axial")):
        figures[f"thick_3mm_{name}"] = summary(evaluate(bundle, options.dataset_dir, rows, (axis, 3)))
    text = json.dumps(figures, indent=4) + "\n"
    print(text, end="")
    if options.split == "test":
        (root / "docs/figures.json").write_text(text)


if __name__ == "__main__":
    main()
