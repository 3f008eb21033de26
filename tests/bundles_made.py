"""Tiny MONAI bundles made on disk, whose answers a reader can predict."""

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dicomnode.bundles.approval import version_of
from dicomnode.infer.answer import Model
from dicomnode.infer.child import load
from dicomnode.infer.protocol import Ask, Load
from dicomnode.values import ModelVersion

TRIGGER = 5000.0
"""A voxel above this makes the bundles that sleep, die or raise do so."""
NETWORKS = '''
import os, signal, time
import torch
from monai.inferers import Inferer
from torch import nn

TRIGGER = 5000.0


class Threshold(nn.Module):
    """Two channels of logits: background, and above the level."""

    def __init__(self, level=0.5):
        super().__init__()
        self.level = level

    def forward(self, x):
        return torch.cat([torch.zeros_like(x), 1000.0 * (x - self.level)], 1)


class Mean(nn.Module):
    """One logit: weight × mean of relu(1 × 1 convolution) + bias; dropout before the mean."""

    def __init__(self, dims=2, dropout=0.0):
        super().__init__()
        self.layer = (nn.Conv2d if dims == 2 else nn.Conv3d)(1, 1, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(torch.relu(self.layer(x))).flatten(1).mean(1, keepdim=True)


class Left(nn.Module):
    """One logit: the mean of the first half of the last axis."""

    def forward(self, x):
        return x[..., : x.shape[-1] // 2].flatten(1).mean(1, keepdim=True)


class Spots(nn.Module):
    """A detector as MONAI has them: a box around the voxels above the level, label 0, and above 100, label 1."""

    def __init__(self, level=0.5, score=0.9):
        super().__init__()
        self.level, self.score = level, score

    def forward(self, x):
        found = [(self._box(x[0, 0] > level), n) for n, level in enumerate((self.level, 100.0)) if (x > level).any()]
        boxes = torch.stack([box for box, _ in found]) if found else torch.zeros(0, 2 * (x.ndim - 2))
        labels = torch.tensor([n for _, n in found], dtype=torch.int64)
        return [{"box": boxes, "label": labels, "label_scores": torch.full((len(found),), self.score)}]

    def _box(self, mask):
        where = mask.nonzero().float()  # a voxel's centre is a whole number
        return torch.cat([where.min(0).values - 0.5, where.max(0).values + 0.5])


class Features(nn.Module):
    """One map of half the image's size: what a RetinaNet looks for anchors in."""

    def __init__(self):
        super().__init__()
        self.out_channels = 8
        self.layer = nn.Conv3d(1, 8, 3, stride=2, padding=1)

    def forward(self, x):
        return {"0": torch.relu(self.layer(x))}


class Detecting(Inferer):
    """Asks a detector, as the inferer of the Model Zoo's lung nodule bundle does."""

    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def __call__(self, inputs, network):
        self.detector.network, self.detector.training = network, network.training
        return self.detector(inputs, use_inferer=False)


class Columns(nn.Module):
    """Logits that never change."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return torch.tensor([self.logits])


class Sleeps(Threshold):
    def forward(self, x):
        if x.max() > TRIGGER:
            time.sleep(60)
        return super().forward(x)


class Dies(Threshold):
    def forward(self, x):
        if x.max() > TRIGGER:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().forward(x)


class EndsInOom(Threshold):
    def forward(self, x):
        if x.max() > TRIGGER:
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel's OOM killer does
        return super().forward(x)


class Raises(Threshold):
    def forward(self, x):
        print("a line on stdout that must not reach the protocol", flush=True)
        os.write(1, b"another")
        if x.max() > TRIGGER:
            raise ValueError("no such thing")
        return super().forward(x)


class Greedy(Threshold):
    """Asks an accelerator for more than there is, for more than so many voxels at once."""

    def __init__(self, voxels):
        super().__init__()
        self.voxels = voxels

    def forward(self, x):
        if x.is_cuda and x.numel() > self.voxels:
            torch.empty(1 << 44, dtype=torch.uint8, device=x.device)
        return super().forward(x)


class Hungry(Threshold):
    """Runs out of memory above so many voxels at once."""

    def __init__(self, voxels):
        super().__init__()
        self.voxels = voxels

    def forward(self, x):
        if x.numel() > self.voxels:
            raise torch.OutOfMemoryError("tried to allocate too much")
        return super().forward(x)
'''
LOAD = ({"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"})
SAVE = {"_target_": "SaveImaged", "keys": "pred", "output_dir": "$@bundle_root + '/eval'", "writer": "NoSuchWriter"}


def regridded(spacing_mm: Sequence[float], axcodes: str = "RAS") -> list[dict[str, Any]]:
    """Preprocessing that turns and resamples."""
    return [
        {"_target_": "Orientationd", "keys": "image", "axcodes": axcodes, "labels": None},
        {
            "_target_": "Spacingd",
            "keys": "image",
            "pixdim": list(spacing_mm),
            "mode": "bilinear",
            "padding_mode": "border",
        },
    ]


def zoo_postprocessing(*, nearest: bool = False) -> list[dict[str, Any]]:
    """As the segmentation bundles of the Model Zoo have it."""
    invert = {
        "_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
        "nearest_interp": nearest, "to_tensor": True,
    }  # fmt: skip
    softmax = {"_target_": "Activationsd", "keys": "pred", "softmax": True}
    decide = {"_target_": "AsDiscreted", "keys": "pred", "argmax": True}
    return [softmax, decide, invert, SAVE] if nearest else [softmax, invert, decide, SAVE]


def bundle_made(
    folder: Path,
    name: str,
    network: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
    preprocessing: Sequence[Mapping[str, Any]] = (),
    postprocessing: Sequence[Mapping[str, Any]] | None = None,
    inferer: Mapping[str, Any] | None = None,
    dicom: str = "",
    loader: Sequence[Mapping[str, Any]] = LOAD,
    extra: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """Write a bundle below `folder`; the version that lies there. `dicom` is its dicom.toml, see below."""
    bundle = folder / name
    for part in ("configs", "models", "scripts", "docs"):
        (bundle / part).mkdir(parents=True)
    (bundle / "scripts" / "__init__.py").write_text("")
    (bundle / "scripts" / "networks.py").write_text(NETWORKS)
    (bundle / "configs" / "metadata.json").write_text(json.dumps({"version": "1.2.3"}))
    (bundle / "dicom.toml").write_text(dicom or segmentation_toml(name))
    torch.save({key: torch.tensor(value) for key, value in (weights or {}).items()}, bundle / "models" / "model.pt")
    config: dict[str, Any] = {
        "imports": ["$import glob"],
        "bundle_root": "/nowhere",
        "device": "$torch.device('cuda:0')",
        "network_def": {"_target_": f"scripts.networks.{network}"} | dict(arguments or {}),
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": [*loader, *preprocessing]},
        "inferer": dict(inferer or {"_target_": "SimpleInferer"}),
    }
    if postprocessing is not None:
        config["postprocessing"] = {"_target_": "Compose", "transforms": list(postprocessing)}
    (bundle / "configs" / "inference.json").write_text(json.dumps(config | dict(extra or {})))
    return version_of(bundle)


def segmentation_toml(name: str, *, activation: str = "softmax", more: str = "") -> str:
    """dicom.toml of a segmentation with one segment."""
    return _checked(f"""
activation = "{activation}"
[model]
name = "{name}"
kind = "segmentation"
title = "Bright voxels"
intended_use = "Tests."
procedure = {{ value = "77477000", scheme = "SCT", meaning = "CT" }}
site = {{ value = "39607008", scheme = "SCT", meaning = "Lung" }}
timeout_s = 30.0
[series]
modalities = ["CT"]
[[segments]]
index = 1
label = "Bright"
category = {{ value = "91723000", scheme = "SCT", meaning = "Anatomical Structure" }}
type = {{ value = "39607008", scheme = "SCT", meaning = "Lung" }}
{more}
""")


def classification_toml(
    name: str,
    *,
    activation: str = "sigmoid",
    findings: Sequence[str] = ("index = 0",),
    dimensions: int = 2,
    more: str = "",
) -> str:
    """dicom.toml of a classification; each of `findings` is the lines of one finding."""
    listed = "".join(
        f"[[findings]]\n{'' if 'threshold' in lines else 'threshold = 0.5'}\n"
        f'concept = {{ value = "{n}", scheme = "99TEST", meaning = "finding {n}" }}\n{lines}\n'
        for n, lines in enumerate(findings)
    )
    return _checked(f"""
activation = "{activation}"
[model]
name = "{name}"
kind = "classification"
title = "Bright images"
intended_use = "Tests."
procedure = {{ value = "399208008", scheme = "SCT", meaning = "Chest X-ray" }}
site = {{ value = "39607008", scheme = "SCT", meaning = "Lung" }}
timeout_s = 30.0
[series]
modalities = ["DX"]
dimensions = {dimensions}
{listed}
{more}
""")


def detection_toml(name: str, *, findings: Sequence[str] = ("index = 0",), dimensions: int = 3, more: str = "") -> str:
    """dicom.toml of a detection; each of `findings` is the lines of one label of its boxes."""
    toml = classification_toml(name, activation="none", findings=findings, dimensions=dimensions, more=more)
    return toml.replace('kind = "classification"', 'kind = "detection"').replace('["DX"]', '["CT", "DX"]')


def _checked(text: str) -> str:
    tomllib.loads(text)
    return text


def model_loaded(version: ModelVersion, *, device: str = "cpu", allow_cpu: bool = True) -> Model:
    """The bundle, loaded in this process: for tests that need no process of its own."""
    sys.modules.pop("scripts.networks", None)
    sys.modules.pop("scripts", None)
    path = list(sys.path)
    try:
        return load(Load(str(version.folder), version.digest, device, 0, False, allow_cpu))
    finally:
        sys.path[:] = path


def asked(voxels: NDArray[Any], affine_lps: NDArray[Any] | None = None, *, research: bool = False) -> Ask:
    """A request for a volume; 1 mm, axial where no affine is given."""
    affine = np.eye(4) if affine_lps is None else affine_lps
    return Ask(voxels.astype(np.float32), affine, has_geometry=True, saliency=True, research=research)
