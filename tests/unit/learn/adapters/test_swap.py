"""Adapters in a base: exactly what peft trained, and the base afterwards bit by bit."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.file import Adapter, read_adapter, weights_digest, write_adapter
from dicomnode.learn.adapters.swap import Swap
from tests.unit.learn.adapters.networks import dense, images, vit


def output(network: nn.Module, dimensions: int, size: int = 8) -> Tensor:
    with torch.no_grad():
        found = network(images(dimensions, size))
    return found[0] if isinstance(found, tuple) else found


def apart(one: Tensor, other: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return float((one - other).abs().max() / other.abs().max())


def lora_of(network: nn.Module, *weights: str) -> Adapter:
    tensors, told, parts = {}, {}, dict(network.named_parameters())
    for weight in weights:
        tensors[f"lora_a/{weight}"] = torch.randn(2, *parts[weight].shape[1:])
        tensors[f"lora_b/{weight}"] = torch.randn(parts[weight].shape[0], 2, *(1,) * (parts[weight].dim() - 2))
        told[f"lora_scale/{weight}"] = "0.5"
    return Adapter(weights_digest(network), tensors, told)


def peft_layers(model: nn.Module, base: str, *, scale: float) -> Adapter:
    """What peft has trained, as an adapter of ours."""
    tensors, told = {}, {}
    for name, layer in model.named_modules():
        weight = name.removeprefix("base_model.model.") + ".weight"
        if hasattr(layer, "lora_A") and len(layer.lora_A):
            tensors[f"lora_a/{weight}"] = layer.lora_A["default"].weight.detach().clone()
            tensors[f"lora_b/{weight}"] = layer.lora_B["default"].weight.detach().clone()
            told[f"lora_scale/{weight}"] = str(scale)
        if hasattr(layer, "ia3_l") and len(layer.ia3_l):
            tensors[f"ia3/{weight}"] = layer.ia3_l["default"].detach().flatten().clone()
    return Adapter(base, tensors, told)


def shaken(model: nn.Module) -> None:
    """Weights as after training: none at its start value."""
    torch.manual_seed(3)
    for name, part in model.named_parameters():
        if "lora_" in name or "ia3_" in name:
            part.data = torch.randn_like(part) * 0.5


@pytest.mark.parametrize(("method", "dimensions"), [("lora", 1), ("lora", 2), ("lora", 3), ("ia3", 2), ("ia3", 3)])
def test_merged_equals_what_peft_computes_unmerged(method: str, dimensions: int) -> None:
    peft = pytest.importorskip("peft")
    targets = ["first", "one", "three", "head"]
    lora = peft.LoraConfig(r=4, lora_alpha=8, target_modules=targets)
    ia3 = peft.IA3Config(target_modules=targets, feedforward_modules=[])
    model = peft.get_peft_model(dense(dimensions), lora if method == "lora" else ia3).eval()
    shaken(model)
    base = dense(dimensions)

    swap = Swap(base)
    swap.apply(peft_layers(model, swap.base, scale=2.0))

    assert apart(output(base, dimensions), output(model, dimensions)) <= 1e-5
    assert apart(output(base, dimensions), output(dense(dimensions), dimensions)) > 0.01


def test_merged_equals_what_peft_computes_in_a_transformer() -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=8, lora_alpha=16, target_modules=["qkv", "out_proj", "linear1", "linear2"])
    model = peft.get_peft_model(vit(), config).eval()
    shaken(model)
    base = vit()

    swap = Swap(base)
    swap.apply(peft_layers(model, swap.base, scale=2.0))

    assert apart(output(base, 2, 16), output(model, 2, 16)) <= 1e-5


def test_after_training_beside_it_and_swaps_the_base_is_bit_identical(tmp_path: Path) -> None:
    base, trained = dense(2), dense(2)
    pristine, told = {name: t.clone() for name, t in base.state_dict().items()}, output(base, 2)
    weights = ("block.one.weight", "head.weight")
    first, second = lora_of(base, *weights), lora_of(base, "block.three.weight")
    changed = {"norm.bias", "norm.running_mean", "norm.num_batches_tracked"}
    trained.train()
    trained(images(2))
    third = Adapter(weights_digest(base), {f"set/{n}": t for n, t in trained.state_dict().items() if n in changed})
    write_adapter(tmp_path / "first", first)

    swap = Swap(base)
    swap.apply(first)
    said = output(base, 2)
    for adapter in (second, third, None, first, third, None):
        swap.apply(adapter)
    assert swap.is_base()
    assert all(torch.equal(t, pristine[name]) for name, t in base.state_dict().items())
    assert torch.equal(output(base, 2), told)

    swap.apply(read_adapter(tmp_path / "first"))
    assert float((output(base, 2) - said).abs().max()) <= 1e-4
    assert not swap.is_base()


def test_buffers_that_the_network_changes_by_itself_are_restored() -> None:
    network = dense(2)
    swap = Swap(network)

    network.train()
    network(images(2))
    network.eval()
    assert not swap.is_base()
    swap.apply(None)

    assert swap.is_base()


def test_a_scaled_layer_scales_its_replaced_bias_too() -> None:
    network = dense(2)
    with torch.no_grad():
        features = torch.linalg.lstsq(network.head.weight, (output(network, 2) - network.head.bias).T).solution.T
        expected = (features @ network.head.weight.T + 1.0) * torch.tensor([2.0, 3.0])
    tensors = {"ia3/head.weight": torch.tensor([2.0, 3.0]), "set/head.bias": torch.ones(2)}

    Swap(network).apply(Adapter(weights_digest(network), tensors))

    assert torch.allclose(output(network, 2), expected, atol=1e-5)


def test_tied_weights_come_back() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    swap = Swap(network)

    swap.apply(Adapter(swap.base, {"set/0.weight": torch.ones(3, 3), "set/1.weight": torch.ones(3, 3)}))
    swap.apply(None)

    assert swap.is_base()


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"set/gone": torch.ones(1)}, "changes gone, which this network does not have"),
        ({"set/head.bias": torch.ones(3)}, r"head\.bias is torch\.float32 \(3,\), the network's torch\.float32 \(2,\)"),
        ({"ia3/head.weight": torch.ones(3)}, "scales 3 outputs"),
        ({"ia3/norm.weight": torch.ones(8)}, "no linear or convolution layer"),
        ({"ia3/gone.weight": torch.ones(8)}, "no linear or convolution layer"),
        ({"lora_a/head.weight": torch.ones(2, 9), "lora_b/head.weight": torch.ones(2, 2)}, "does not fit"),
        ({"lora_a/head.weight": torch.ones(2, 8), "lora_b/head.weight": torch.ones(3, 2)}, "does not fit"),
    ],
)
def test_an_adapter_that_does_not_fit_leaves_the_base(tensors: dict[str, Tensor], why: str) -> None:
    swap = Swap(dense(2))
    swap.apply(lora_of(swap.network, "head.weight"))

    with pytest.raises(ModelFault, match=why):
        swap.apply(Adapter(swap.base, tensors, {"lora_scale/head.weight": "1"}))

    assert swap.is_base()


def test_an_adapter_of_another_base_is_refused() -> None:
    adapter = lora_of(dense(2), "head.weight")
    other = dense(2)
    other.get_buffer("norm.running_mean")[0] += 1e-6

    with pytest.raises(ModelFault, match="for the base"):
        Swap(other).apply(adapter)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, groups=2, padding=1),
        nn.Conv2d(4, 4, 3, dilation=2, padding=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 4, 3, padding=1),
    ],
)
def test_lora_is_never_merged_where_the_result_would_be_another(layer: nn.Module) -> None:
    network = nn.Sequential(layer)

    with pytest.raises(ModelFault, match=r"cannot be merged|no linear or convolution"):
        Swap(network).apply(lora_of(network, "0.weight"))
