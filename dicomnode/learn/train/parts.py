"""Which parts of a network a recipe trains."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from dicomnode.errors import ModelFault

NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
DETECTOR_HEADS = ("classification_head.", "regression_head.")


@dataclass(frozen=True)
class Group:
    """Parameters that train alike."""

    names: tuple[str, ...]
    rate: float = 1.0
    """Times the learning rate."""
    weight_decay: float = 0.0


def head_of(network: nn.Module, image: Tensor) -> str:
    """Name of the last layer that runs, as one forward pass of an image (1, channel, ...) shows.

    Raises:
        ModelFault: no linear or convolution layer runs.
    """
    ran: list[str] = []
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, LAYERS)]
    hooks = [layer.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, layer in layers]
    try:
        with torch.no_grad():
            network.eval()(image)
    finally:
        for hook in hooks:
            hook.remove()
    if not ran:
        raise ModelFault("the network has no linear or convolution layer to train")
    return ran[-1]


def head_parameters(network: nn.Module, head: str) -> tuple[str, ...]:
    """Parameters of the head; a detector's are those of its two heads."""
    names = [name for name, _ in network.named_parameters()]
    of_detector = [name for name in names if any(part in name for part in DETECTOR_HEADS)]
    return tuple(of_detector or [name for name in names if name.startswith(f"{head}.")])


def norm_parameters(network: nn.Module) -> tuple[str, ...]:
    """Scale and shift of every norm layer, and every bias."""
    norms = [name for name, layer in network.named_modules() if isinstance(layer, NORMS)]
    return tuple(
        name for name, _ in network.named_parameters() if name.rpartition(".")[0] in norms or name.endswith("bias")
    )


def decayed(network: nn.Module, names: Sequence[str], weight_decay: float, rate: float = 1.0) -> Iterator[Group]:
    """Groups of these parameters: weights decay, biases and norm layers do not."""
    plain = set(norm_parameters(network))
    for chosen, decay in (
        (tuple(name for name in names if name not in plain), weight_decay),
        (tuple(name for name in names if name in plain), 0.0),
    ):
        if chosen:
            yield Group(chosen, rate, decay)


def allowed(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """Of these parameters the ones that dicom.toml lets change: all, where [tune] names none."""
    return tuple(name for name in names if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns))


def by_depth(network: nn.Module, names: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Parameters by how many blocks lie behind them, for a rate that falls with depth: 0 is the last block.

    A block is what stands at the first two levels of the network's names ("features.denseblock4", "layer1.0").
    """
    blocks = list(dict.fromkeys(_block(name) for name, _ in network.named_parameters()))
    found: dict[int, list[str]] = {}
    for name in names:
        found.setdefault(len(blocks) - 1 - blocks.index(_block(name)), []).append(name)
    return {depth: tuple(part) for depth, part in sorted(found.items())}


def _block(name: str) -> str:
    return ".".join(name.split(".")[:2])


def set_modes(network: nn.Module, *, statistics: bool) -> None:
    """Train mode for dropout; running statistics of norm layers follow the data only where that is wanted."""
    network.train()
    for layer in network.modules():
        if isinstance(layer, _NormBase) and not statistics and layer.track_running_stats:
            layer.eval()


def state_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and buffer, on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in _all(network).items()}


def moved(before: Mapping[str, Tensor], network: nn.Module) -> tuple[str, ...]:
    """Names of parameters and buffers that are not bit for bit what they were."""
    return tuple(name for name, value in _all(network).items() if not _same(before[name], value.detach().cpu()))


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other) or torch.equal(one.nan_to_num(), other.nan_to_num())


def _all(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
