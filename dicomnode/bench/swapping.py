"""`dicomnode bench hot-swap`: seconds until a model's process answers as another version of the same base.

Versions of the chest X-ray model as they are made on site: one with the norm layers changed, one with LoRA of rank 4 on
every convolution. Counted from the call to the word that it is ready, all digests read.
"""

import json
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from dicomnode.bench.training_made import BUNDLE, require_bundle
from dicomnode.bundles.approval import version_of
from dicomnode.bundles.digest import ADAPTER, METADATA
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.infer.bundle import load_bundle
from dicomnode.infer.predict import Predictor
from dicomnode.learn.adapters.file import Adapter, write_adapter
from dicomnode.learn.adapters.swap import Swap, can_merge
from dicomnode.learn.train.parts import norm_parameters
from dicomnode.scratch import scratch_folder
from dicomnode.values import ModelVersion

TARGET_S = 1.0
RANK = 4


@dataclass(frozen=True)
class Swapped:
    """One change of version."""

    to: str
    seconds: float


@dataclass(frozen=True)
class Swaps:
    """What was measured, and the adapters' sizes."""

    swaps: tuple[Swapped, ...]
    bytes: dict[str, int]
    base_bytes: int
    base_is_identical: bool
    """Every parameter and buffer, bit by bit, after swaps in this process."""

    @property
    def slowest_s(self) -> float:
        """Of all changes."""
        return max(one.seconds for one in self.swaps)

    @property
    def reached(self) -> bool:
        """Fast, and without a trace."""
        return self.slowest_s <= TARGET_S and self.base_is_identical

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return vars(self) | {"swaps": [vars(one) for one in self.swaps]}

    def words(self) -> str:
        """For a person."""
        sizes = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in self.bytes.items())
        return (
            f"{len(self.swaps)} changes of version in one process: median "
            f"{statistics.median(one.seconds for one in self.swaps):.3f} s, slowest {self.slowest_s:.3f} s; adapters: "
            f"{sizes}, base {self.base_bytes / 1e6:.1f} MB; base bit-identical afterwards: "
            f"{'yes' if self.base_is_identical else 'NO'}; target ≤ {TARGET_S:g} s: "
            f"{'reached' if self.reached else 'MISSED'}"
        )


def measure(repeats: int, told: Callable[[str], None]) -> Swaps:
    """So many rounds through two versions and the base."""
    with scratch_folder() as folder, Predictor(Infer()) as predictor:
        told("versions are made")
        versions, sizes = _versions(folder)
        predictor.warm(versions["base"], ModelSetting())
        found = []
        for number in range(repeats):
            told(f"round {number + 1} of {repeats}")
            for name in ("norm", "lora", "base"):
                began_s = time.monotonic()
                predictor.warm(versions[name], ModelSetting())
                found.append(Swapped(name, time.monotonic() - began_s))
        return Swaps(tuple(found), sizes, (BUNDLE / "models" / "model.pt").stat().st_size, _comes_back(versions))


def _versions(folder: Path) -> tuple[dict[str, ModelVersion], dict[str, int]]:
    """The base and two versions of it, and the sizes of their adapters."""
    network = load_bundle(require_bundle()).network
    base = Swap(network).base
    adapters = {"norm": Adapter(base, _norm(network)), "lora": _lora(network, base)}
    found = {"base": _copy(folder / "base", "1.0.0")}
    for number, (name, adapter) in enumerate(adapters.items(), 1):
        copied = _copy(folder / name, f"1.0.0+learned.{number}")
        write_adapter(copied.folder / ADAPTER, adapter)
        found[name] = version_of(copied.folder)
    return found, {name: (found[name].folder / ADAPTER).stat().st_size for name in adapters}


def _copy(folder: Path, version: str) -> ModelVersion:
    target = folder / BUNDLE.name
    shutil.copytree(BUNDLE, target, copy_function=shutil.copyfile)
    metadata = json.loads((target / METADATA).read_text(encoding="utf-8"))
    (target / METADATA).write_text(json.dumps(metadata | {"version": version}), encoding="utf-8")
    return version_of(target)


def _norm(network: nn.Module) -> dict[str, torch.Tensor]:
    parameters = dict(network.named_parameters())
    return {f"set/{name}": parameters[name].detach() * 1.01 for name in norm_parameters(network)}


def _lora(network: nn.Module, base: str) -> Adapter:
    tensors, told = {}, {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and can_merge(layer):
            weight = f"{name}.weight"
            tensors[f"lora_a/{weight}"] = torch.randn(RANK, *layer.weight.shape[1:]) * 0.01
            tensors[f"lora_b/{weight}"] = torch.randn(layer.out_channels, RANK, 1, 1) * 0.01
            told[f"lora_scale/{weight}"] = "2.0"
    return Adapter(base, tensors, told)


def _comes_back(versions: dict[str, ModelVersion]) -> bool:
    from dicomnode.infer.bundle import adapter_of

    swap = load_bundle(versions["base"].folder).swap
    for name in ("norm", "lora", "base", "lora", "base"):
        swap.apply(adapter_of(versions[name].folder))
    return swap.is_base()
