"""Adapter files: whole, bound to their base, and refused where they are not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.file import Adapter, read_adapter, weights_digest, write_adapter
from tests.unit.learn.adapters.networks import dense

BASE = "ab" * 32


def small(**tensors: torch.Tensor) -> Adapter:
    return Adapter(BASE, {name.replace("__", "/"): tensor for name, tensor in tensors.items()}, {"recipe": "norm"})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    pair = {"lora_a/block.one.weight": torch.rand(2, 4, 1, 1), "lora_b/block.one.weight": torch.rand(8, 2, 1, 1)}
    told = {"recipe": "adapter", "made_of": '{"seed": 1}', "lora_scale/block.one.weight": "2.0"}

    write_adapter(tmp_path / "models" / "adapter.safetensors", Adapter(BASE, pair, told))
    found = read_adapter(tmp_path / "models" / "adapter.safetensors")

    assert (found.base, dict(found.metadata), found.scale("block.one.weight")) == (BASE, told, 2.0)
    assert torch.equal(found.of("lora_a")["block.one.weight"], pair["lora_a/block.one.weight"])
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["adapter.safetensors"]


def test_the_same_adapter_is_the_same_bytes(tmp_path: Path) -> None:
    adapter = Adapter(
        BASE, {"set/a": torch.ones(3), "set/ü": torch.ones(1)}, {"recipe": "ä", "made_of": "{}", "x": "1"}
    )

    for n in range(8):
        write_adapter(tmp_path / str(n), adapter)

    assert len({(tmp_path / str(n)).read_bytes() for n in range(8)}) == 1


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "adapter.safetensors"
    write_adapter(path, small(set__a=torch.ones(300)))
    whole = path.read_bytes()

    for damaged in (whole[:-5], whole[:20], whole[:4], b"", b"\xff" * 400, b"PK\x03\x04" + whole):
        path.write_bytes(damaged)
        with pytest.raises(ModelFault, match="is damaged"):
            read_adapter(path)


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(3)}, tmp_path / "other.safetensors")

    with pytest.raises(ModelFault, match="no adapter file of format 1"):
        read_adapter(tmp_path / "other.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFault, match=r"there is no adapter gone\.safetensors"):
        read_adapter(tmp_path / "gone.safetensors")


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        (Adapter("ab", {}), "does not name its base"),
        (small(weight=torch.ones(1)), "of no kind that is known"),
        (small(set__a=torch.tensor([1.0, float("nan")])), "not finite"),
        (small(lora_a__a=torch.ones(1, 2)), "half a LoRA pair"),
        (small(lora_a__a=torch.ones(1, 2), lora_b__a=torch.ones(2, 1)), "no LoRA scale"),
        (small(set__a=torch.ones(2), ia3__a=torch.ones(2)), "changed in two ways"),
    ],
)
def test_what_no_network_could_take_is_neither_written_nor_read(tmp_path: Path, adapter: Adapter, why: str) -> None:
    with pytest.raises(ModelFault, match=why):
        write_adapter(tmp_path / "adapter.safetensors", adapter)

    save_file(dict(adapter.tensors), tmp_path / "adapter.safetensors", {"format": "1", "base": adapter.base})
    with pytest.raises(ModelFault, match=why):
        read_adapter(tmp_path / "adapter.safetensors")


def test_the_digest_of_weights_counts_buffers_and_follows_from_values_alone() -> None:
    first, second = dense(2), dense(2)
    assert weights_digest(first) == weights_digest(second)

    second.get_buffer("norm.running_mean")[0] += 1e-6

    assert weights_digest(first) != weights_digest(second)
