"""The base of `dicomnode bench learn` and `recipes`: a small network of one place, frozen before another is opened."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w
import torch
from monai.networks import nets

from dicomnode.bench.learning_data import Kept, pictures, splits_of_a
from dicomnode.bundles.dicom_toml import DicomToml, load_dicom_toml
from dicomnode.bundles.digest import digest
from dicomnode.infer.bundle import Bundle, load_bundle
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.train.classifying import logits_of_pool, mean_auc
from dicomnode.learn.train.fit import train
from dicomnode.learn.train.pool import ItemPool, files
from dicomnode.learn.train.verify import WEIGHTS
from dicomnode.learn.values import RecipeName, Split, TrainingSet

Progress = Callable[[str], None]
SIZE = 96
NETWORK = {
    "_target_": "ResNet", "block": "basic", "layers": [1, 1, 1, 1], "block_inplanes": [32, 64, 128, 256],
    "spatial_dims": 2, "n_input_channels": 1, "conv1_t_size": 7, "conv1_t_stride": 2, "num_classes": 1,
}  # fmt: skip
"""Half as wide as ResNet10: 1.2 million parameters, 10 ms an image and step on one core."""
PREPROCESSING: list[Mapping[str, Any]] = [
    {"_target_": "LoadImaged", "keys": "image", "reader": "PILReader", "reverse_indexing": False},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Resized", "keys": "image", "spatial_size": [SIZE, SIZE], "mode": "area"},
    {
        "_target_": "ScaleIntensityRangePercentilesd", "keys": "image", "lower": 0.5, "upper": 99.5,
        "b_min": 0.0, "b_max": 1.0, "clip": True,
    },
]  # fmt: skip
DICOM: dict[str, Any] = {
    "activation": "sigmoid",
    "model": {
        "name": "base", "kind": "classification", "title": "COVID-19 on a CT slice",
        "intended_use": "Bench of learning. Not for clinical use.",
        "procedure": {"value": "77477000", "scheme": "SCT", "meaning": "CT"},
        "site": {"value": "39607008", "scheme": "SCT", "meaning": "Lung"},
    },
    "series": {"modalities": ["CT"], "admit": ["secondary", "derived"], "dimensions": 2},
    "findings": [
        {"index": 0, "threshold": 0.5, "concept": {"value": "840539006", "scheme": "SCT", "meaning": "COVID-19"}}
    ],
    "uncertainty": {"method": "flips", "samples": 2, "axes": [1]},
}  # fmt: skip


@dataclass(frozen=True)
class Design:
    """What a base is made of."""

    network: Mapping[str, Any] = field(default_factory=lambda: NETWORK)
    """A class of `monai.networks.nets`, and its arguments."""
    preprocessing: Sequence[Mapping[str, Any]] = tuple(PREPROCESSING)
    dicom: Mapping[str, Any] = field(default_factory=lambda: DICOM)
    epochs: int = 40


@dataclass(frozen=True)
class Base:
    """The frozen base with the first place's items."""

    folder: Path
    digest: str
    bundle: Bundle
    kept: Kept
    of_a: TrainingSet
    manifest_of_a: Path
    auc_on_a: float
    """On the held-out groups."""


def frozen_base(out: Path, hospital: Path, threads: int, progress: Progress, design: Design | None = None) -> Base:
    """The base, made once; its AUC on held-out groups stands in `base.json` before another hospital is opened."""
    start, final, design = out / "start", out / "base", design or Design()
    if not (start / "dicom.toml").is_file():
        _write_bundle(start, design)
    kept = Kept(out, load_bundle(start), digest(start))
    found = pictures(hospital)
    where = splits_of_a(found)
    of_a, manifest = kept.set(kept.items([(picture, where[picture.group]) for picture in found]))
    told = out / "base.json"
    if not told.is_file():
        progress("base: training at the first hospital")
        fitted = _trained(start, manifest, out / "jobs" / "base", threads, design.epochs)
        _freeze(start, final, out / "jobs" / "base", fitted)
        held_out = auc_on(load_bundle(final), of_a, Split.RETENTION)
        told.write_text(
            json.dumps({"digest": digest(final), "auc_on_held_out_a": held_out, "fitted": fitted}, indent=1)
        )
    manifested = json.loads(told.read_text())
    bundle = load_bundle(final)
    return Base(final, digest(final), bundle, kept, of_a, manifest, manifested["auc_on_held_out_a"])


def auc_on(bundle: Bundle, training: TrainingSet, split: Split) -> float:
    """AUC of a bundle on a split."""
    items = training.of(split)
    logits = logits_of_pool(bundle, bundle.network, ItemPool(files(training, items)))
    return mean_auc(torch.tensor([item.targets for item in items]).numpy(), logits)


def _trained(start: Path, manifest: Path, folder: Path, threads: int, epochs: int) -> dict[str, Any]:
    """As `scratch` trains, but for all epochs: the best one on the validation groups counts."""
    order = TrainOrder(
        bundle=start, digest=digest(start), device="cpu", threads=threads, training_set=manifest,
        recipe=RecipeName.SCRATCH, seed=1, trials=0, epochs=epochs, learning_rate=1e-3,
    )  # fmt: skip
    return train(order, folder, lambda _: None, patience=epochs)


def _write_bundle(folder: Path, design: Design) -> None:
    """A bundle with random weights."""
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    config = {
        "network_def": design.network,
        "preprocessing": {"_target_": "Compose", "transforms": design.preprocessing},
        "inferer": {"_target_": "SimpleInferer"},
    }
    (folder / "configs" / "inference.json").write_text(json.dumps(config, indent=1))
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": "1.0.0"}))
    torch.manual_seed(0)
    arguments = {name: value for name, value in design.network.items() if name != "_target_"}
    network = getattr(nets, design.network["_target_"])(**arguments)
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    _write_dicom(folder, DicomToml.model_validate(design.dicom))


def _freeze(start: Path, final: Path, job: Path, fitted: dict[str, Any]) -> None:
    shutil.rmtree(final, ignore_errors=True)
    shutil.copytree(start, final)
    shutil.copy(job / WEIGHTS, final / "models" / "model.pt")
    dicom = load_dicom_toml(start)
    calibrated = fitted["calibration"][0]
    changes = {name: calibrated[name] for name in ("slope", "intercept", "threshold")}
    finding = dicom.findings[0].model_copy(update=changes)
    _write_dicom(final, dicom.model_copy(update={"findings": (finding,)}))


def _write_dicom(folder: Path, dicom: DicomToml) -> None:
    told = dicom.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    (folder / "dicom.toml").write_text(tomli_w.dumps(told))
