"""The adapter file: what makes another network of a base network, in a few per cent of its size.

A safetensors file. Its metadata: "format", "base" (digest of the base's weights), "recipe", "made_of" (JSON of all that
made it), and "lora_scale/<weight>". Its tensors, each for a parameter or buffer of the base by name:

    set/<name>        values in the place of the base's
    lora_a/<weight>   (rank, in, kernel ...) and
    lora_b/<weight>   (out, rank, 1 ...): b·a times the scale is added to the weight
    ia3/<weight>      (out,): scales what the layer puts out, its bias included

The bytes follow from the contents alone.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from dicomnode.archive.files import write_whole
from dicomnode.errors import ModelFault

FORMAT = "1"
KINDS = ("set", "lora_a", "lora_b", "ia3")
LENGTH = struct.Struct("<Q")
"""How long the header is, before it."""


@dataclass(frozen=True)
class Adapter:
    """What changes a base, and which base."""

    base: str
    """`weights_digest` of the network it was made for."""
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    """"recipe", "made_of", and "lora_scale/<weight>" for each LoRA pair."""

    def of(self, kind: str) -> dict[str, Tensor]:
        """The tensors of one kind, by the name of the parameter or buffer."""
        return {name.partition("/")[2]: tensor for name, tensor in self.tensors.items() if name.startswith(f"{kind}/")}

    def scale(self, weight: str) -> float:
        """Of the LoRA pair of a weight."""
        return float(self.metadata[f"lora_scale/{weight}"])


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over every parameter and buffer: name, type, shape and bytes; hex; the same on every device."""
    total = hashlib.sha256()
    for name, tensor in sorted(held(network).items()):
        plain = tensor.detach().cpu().contiguous()
        total.update(f"{name}\0{plain.dtype}\0{tuple(plain.shape)}\0".encode())
        total.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def held(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by name, those that are not saved with the network included."""
    return {
        **dict(network.named_parameters(remove_duplicate=False)),
        **dict(network.named_buffers(remove_duplicate=False)),
    }


def write_adapter(path: Path, adapter: Adapter) -> None:
    """Put an adapter into a file: whole or not at all, and on the disk when this returns.

    Raises:
        ModelFault: it could not be read again.
    """
    require_sound(adapter, path.name)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in adapter.tensors.items()}
    told = {**adapter.metadata, "format": FORMAT, "base": adapter.base}
    write_whole(path, _in_order(save(tensors, told)))


def read_adapter(path: Path) -> Adapter:
    """The adapter in a file.

    Raises:
        ModelFault: there is none, it is damaged, or another program's.
    """
    try:
        content = path.read_bytes()
        tensors, told = load(content), _metadata(content)
    except FileNotFoundError as fault:
        raise ModelFault(f"there is no adapter {path.name}") from fault
    except (SafetensorError, ValueError, KeyError, struct.error) as fault:
        raise ModelFault(f"adapter {path.name} is damaged: {fault}; restore it, or go back to the base") from fault
    if told.pop("format", None) != FORMAT:
        raise ModelFault(f"{path.name} is no adapter file of format {FORMAT}")
    adapter = Adapter(told.pop("base", ""), tensors, told)
    require_sound(adapter, path.name)
    return adapter


def require_sound(adapter: Adapter, name: str) -> None:
    """Refuse an adapter that no network could take."""
    for fault in _faults(adapter):
        raise ModelFault(f"adapter {name} cannot be used: {fault}")


def _faults(adapter: Adapter) -> Iterator[str]:
    if len(adapter.base) != hashlib.sha256().digest_size * 2:
        yield "it does not name its base"
    for name, tensor in sorted(adapter.tensors.items()):
        if name.partition("/")[0] not in KINDS:
            yield f"tensor {name} is of no kind that is known ({', '.join(KINDS)})"
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            yield f"{name} holds figures that are not finite"
    yield from _faults_of_pairs(adapter)


def _faults_of_pairs(adapter: Adapter) -> Iterator[str]:
    a, b, scaled, replaced = (adapter.of(kind) for kind in ("lora_a", "lora_b", "ia3", "set"))
    for weight in sorted(a.keys() ^ b.keys()):
        yield f"{weight} has half a LoRA pair"
    for weight in sorted(a.keys() & b.keys()):
        if not _is_finite(adapter.metadata.get(f"lora_scale/{weight}", "")):
            yield f"{weight} has no LoRA scale"
    for weight in sorted((a.keys() & scaled.keys()) | ((a.keys() | scaled.keys()) & replaced.keys())):
        yield f"{weight} is changed in two ways"


def _is_finite(figure: str) -> bool:
    try:
        return abs(float(figure)) < float("inf")
    except ValueError:
        return False


def _metadata(content: bytes) -> dict[str, str]:
    (length,) = LENGTH.unpack_from(content)
    header = json.loads(content[LENGTH.size : LENGTH.size + length])
    return {str(key): str(value) for key, value in header.get("__metadata__", {}).items()}


def _in_order(content: bytes) -> bytes:
    """The same file with its metadata in order: safetensors writes them in another one each time."""
    (length,) = LENGTH.unpack_from(content)
    header = json.loads(content[LENGTH.size : LENGTH.size + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    padded = written.ljust(-(-len(written) // LENGTH.size) * LENGTH.size)
    return LENGTH.pack(len(padded)) + padded + content[LENGTH.size + length :]
