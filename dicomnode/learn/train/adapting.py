"""The recipe `adapter`: LoRA on linear and 2D convolution layers, IA3 on 3D ones, and the head; the base stays.

peft trains them; what it cannot merge without changing its meaning is left alone (groups, dilation, padding modes,
transposed convolutions). Norm layers stay in eval mode: peft would let them drift (huggingface/peft issue 1732).
"""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.swap import can_merge
from dicomnode.learn.train.faults import BaseMoved
from dicomnode.learn.train.fitting import Fit, Tensors, Wanted, course_of, example, pools, task_for
from dicomnode.learn.train.loop import Subject, run
from dicomnode.learn.train.parts import Group, allowed, decayed, head_of, head_parameters, state_of
from dicomnode.learn.train.recipes import LORA_DROPOUT, LORA_RANK, LORA_RANK_TRANSFORMER

OF_PEFT = (".lora_A.", ".lora_B.", ".ia3_l.")
BASE = ".base_layer"
NAME = "site"


@dataclass(frozen=True)
class Targets:
    """Layers by name."""

    lora: tuple[str, ...]
    ia3: tuple[str, ...]
    rank: int


def fit_adapter(wanted: Wanted) -> Fit:
    """Small matrices beside the layers, and the head."""
    network, shown = copy.deepcopy(wanted.bundle.network), pools(wanted)
    head = head_parameters(network, head_of(network, example(shown.train)))
    before = state_of(network)
    chosen = targets(network, head, wanted.bundle.dicom.tune.trainable)
    torch.manual_seed(wanted.seed)
    inject(network, chosen)
    course = course_of(wanted, wanted.recipe.batch(wanted.dimensions))
    groups = [*_groups(network, wanted.recipe.weight_decay), *decayed(network, head, wanted.recipe.weight_decay)]
    told = run(Subject(network, task_for(wanted, shown.train), groups), shown, course, wanted.say)
    require_base(network, before, head)
    tensors, metadata = exported(network, chosen, head)
    return Fit(network, told, course.learning_rate, sum(t.numel() for t in tensors.values()), tensors, metadata)


def targets(network: nn.Module, head: Sequence[str], patterns: Sequence[str]) -> Targets:
    """The layers that get an adapter.

    Raises:
        ModelFault: none can.
    """
    inside_attention = {
        f"{name}.{inner}"
        for name, layer in network.named_modules()
        if isinstance(layer, nn.MultiheadAttention)
        for inner, _ in layer.named_modules()
    }  # its forward pass reads the weights of its layers by itself
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if f"{name}.weight" not in head and name not in inside_attention and allowed([f"{name}.weight"], patterns)
    }
    lora = tuple(n for n, one in layers.items() if isinstance(one, nn.Linear | nn.Conv2d) and can_merge(one))
    ia3 = tuple(name for name, layer in layers.items() if isinstance(layer, nn.Conv3d))
    if not lora and not ia3:
        raise ModelFault("the network has no layer that an adapter fits: choose the recipe norm or head")
    return Targets(lora, ia3, LORA_RANK_TRANSFORMER if _attends(network) else LORA_RANK)


def _attends(network: nn.Module) -> bool:
    kinds = {type(layer).__name__ for layer in network.modules()}
    return any("Attention" in kind or kind == "SABlock" for kind in kinds)


def inject(network: nn.Module, chosen: Targets) -> None:
    """Put the trainable matrices beside the layers; the network's outputs stay what they are.

    Raises:
        ModelFault: peft is not installed.
    """
    try:
        from peft import IA3Config, LoraConfig, inject_adapter_in_model
    except ImportError as fault:
        raise ModelFault('the recipe adapter needs peft: pip install "dicomnode[adapters]", or choose norm') from fault
    if chosen.lora:
        lora = LoraConfig(
            r=chosen.rank, lora_alpha=2 * chosen.rank, lora_dropout=LORA_DROPOUT, target_modules=_exactly(chosen.lora)
        )
        inject_adapter_in_model(lora, network, NAME)
    if chosen.ia3:
        ia3 = IA3Config(target_modules=_exactly(chosen.ia3), feedforward_modules=[])
        inject_adapter_in_model(ia3, network, NAME)


def exported(network: nn.Module, chosen: Targets, head: Sequence[str]) -> tuple[Tensors, dict[str, str]]:
    """Tensors and metadata of the adapter file."""
    parameters = dict(network.named_parameters())
    found: Tensors = {f"set/{name}": parameters[name] for name in head}
    for name in chosen.lora:
        found[f"lora_a/{name}.weight"] = parameters[f"{name}.lora_A.{NAME}.weight"]
        found[f"lora_b/{name}.weight"] = parameters[f"{name}.lora_B.{NAME}.weight"]
    for name in chosen.ia3:
        found[f"ia3/{name}.weight"] = parameters[f"{name}.ia3_l.{NAME}"].flatten()
    scales = {f"lora_scale/{name}.weight": "2.0" for name in chosen.lora}
    return {name: value.detach().cpu().clone() for name, value in found.items()}, scales


def require_base(network: nn.Module, before: Tensors, head: Sequence[str]) -> None:
    """Refuse what was trained if a parameter or buffer of the base is not bit for bit what it was.

    Raises:
        BaseMoved: names them.
    """
    now = {name.replace(BASE, ""): value for name, value in state_of(network).items()}
    if others := [name for name, value in before.items() if name not in head and not torch.equal(now[name], value)]:
        raise BaseMoved(others)


def _groups(network: nn.Module, weight_decay: float) -> Iterator[Group]:
    """LoRA's matrices decay to nothing, which is the base; IA3's scales would decay to silence, and do not."""
    names = [name for name, _ in network.named_parameters() if any(part in name for part in OF_PEFT)]
    for part, decay in ((OF_PEFT[:2], weight_decay), (OF_PEFT[2:], 0.0)):
        if chosen := tuple(name for name in names if any(one in name for one in part)):
            yield Group(chosen, weight_decay=decay)


def _exactly(names: Sequence[str]) -> str:
    return "|".join(re.escape(name) for name in names)
