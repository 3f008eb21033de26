"""Adapters of one base, put in and taken out again while the base stays in memory.

An adapter is merged into the weights, so that the network runs as fast as its base. The figures are worked out from the
untouched base, in float32 on the CPU: the same on every device, and with no trace of the adapter before.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.file import Adapter, held, weights_digest

MERGED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers that LoRA and IA3 are merged into; transposed convolutions are no such layer."""


class Swap:
    """A network in memory, and which adapter is in it. Not for use while the network runs."""

    def __init__(self, network: nn.Module) -> None:
        """Take the network as the base, as it is now."""
        self.network = network
        self.base = weights_digest(network)
        self.adapter: Adapter | None = None
        self._pristine = {name: _copy(buffer) for name, buffer in network.named_buffers(remove_duplicate=False)}
        """Of all that an adapter touched, and of every buffer, which the network itself may change."""

    def apply(self, adapter: Adapter | None) -> None:
        """Make the network what this adapter says; the base itself for None. The base is restored bit by bit first.

        Raises:
            ModelFault: the adapter is for another base or does not fit; the network is the base then.
        """
        self._restore()
        if adapter is None:
            return
        if adapter.base != self.base:
            raise ModelFault(
                f"the adapter is for the base {adapter.base[:12]}…, and this network is {self.base[:12]}…: "
                "another version of the bundle made it"
            )
        parts = held(self.network)
        values = dict(self._values(adapter, parts))
        for name in values.keys() - self._pristine.keys():
            self._pristine[name] = _copy(parts[name])
        for name, value in values.items():
            _put(parts[name], value)
        self.adapter = adapter

    def is_base(self) -> bool:
        """Whether every parameter and buffer is the base's, bit by bit."""
        return weights_digest(self.network) == self.base

    def _restore(self) -> None:
        self.adapter = None
        parts = held(self.network)
        for name, value in self._pristine.items():
            _put(parts[name], value)

    def _values(self, adapter: Adapter, parts: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """New values by name, all of them before the first is put in."""
        replaced = adapter.of("set")
        for name, value in replaced.items():
            yield name, _fitting(name, value, parts)
        for weight, a in adapter.of("lora_a").items():
            base = _copy(_of_a_layer(weight, self.network, parts, lora=True))
            yield weight, base.float() + adapter.scale(weight) * _product(weight, adapter.of("lora_b")[weight], a, base)
        for weight, scale in adapter.of("ia3").items():
            base = _copy(_of_a_layer(weight, self.network, parts, lora=False))
            yield weight, base.float() * _each_output(weight, scale, base)
            bias = weight.removesuffix("weight") + "bias"
            if bias in parts:
                yield bias, replaced.get(bias, _copy(parts[bias])).float() * scale.flatten().float()


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)


def _put(part: Tensor, value: Tensor) -> None:
    with torch.no_grad():
        part.data.copy_(value)


def _fitting(name: str, value: Tensor, parts: dict[str, Tensor]) -> Tensor:
    part = parts.get(name)
    if part is None:
        raise ModelFault(f"the adapter changes {name}, which this network does not have")
    if value.shape != part.shape or value.is_floating_point() != part.is_floating_point():
        found, wanted = (f"{tensor.dtype} {tuple(tensor.shape)}" for tensor in (value, part))
        raise ModelFault(f"the adapter's {name} is {found}, the network's {wanted}")
    return value


def _of_a_layer(weight: str, network: nn.Module, parts: dict[str, Tensor], *, lora: bool) -> Tensor:
    """The weight of a layer that a LoRA pair or IA3 can be merged into without changing what it means."""
    path, _, last = weight.rpartition(".")
    layer = dict(network.named_modules(remove_duplicate=False)).get(path)
    if last != "weight" or not isinstance(layer, MERGED):
        raise ModelFault(f"the adapter changes {weight}, which is the weight of no linear or convolution layer here")
    if lora and not can_merge(layer):
        raise ModelFault(f"LoRA on {weight} cannot be merged: the layer has groups, dilation or a padding mode")
    return parts[weight]


def can_merge(layer: nn.Module) -> bool:
    """Whether LoRA, as peft trains it on a layer, equals the layer with the product added to its weight.

    peft's own layers do not know a padding mode and fail with dilation; with groups there is no such product.
    """
    if isinstance(layer, nn.Linear):
        return True
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return False
    dilated = any(d > 1 and k > 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
    return layer.groups == 1 and layer.padding_mode == "zeros" and not dilated


def _product(weight: str, b: Tensor, a: Tensor, base: Tensor) -> Tensor:
    """B·A in the shape of the weight."""
    if a.shape[1:] != base.shape[1:] or b.flatten(1).shape != (base.shape[0], a.shape[0]):
        raise ModelFault(
            f"the adapter's LoRA pair {tuple(b.shape)}·{tuple(a.shape)} does not fit {weight} {tuple(base.shape)}"
        )
    return (b.flatten(1).float() @ a.flatten(1).float()).reshape(base.shape)


def _each_output(weight: str, scale: Tensor, base: Tensor) -> Tensor:
    if scale.numel() != base.shape[0]:
        raise ModelFault(f"the adapter scales {scale.numel()} outputs of {weight}, which has {base.shape[0]}")
    return scale.flatten().float().reshape(-1, *(1,) * (base.dim() - 1))
