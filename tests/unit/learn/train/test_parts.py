"""How much of a network a recipe trains, and what it leaves alone."""

from pathlib import Path

import pytest
import torch
from monai.networks.nets import DenseNet121
from torch import nn

from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.file import Adapter, weights_digest, write_adapter
from dicomnode.learn.train.adapting import exported, inject, require_base, targets
from dicomnode.learn.train.faults import BaseMoved
from dicomnode.learn.train.fitting import count, replaced
from dicomnode.learn.train.holding import groups
from dicomnode.learn.train.parts import head_of, head_parameters, norm_parameters, set_modes, state_of


def test_of_densenet121_norm_trains_at_most_1_5_percent_and_lora_at_most_9_in_a_tenth_of_the_size(
    tmp_path: Path,
) -> None:
    network = DenseNet121(spatial_dims=2, in_channels=1, out_channels=1)
    total, base = sum(parameter.numel() for parameter in network.parameters()), weights_digest(network)
    torch.save(network.state_dict(), tmp_path / "base.pt")
    head = head_parameters(network, head_of(network, torch.zeros(1, 1, 64, 64)))
    normed = count(network, tuple(dict.fromkeys((*norm_parameters(network), *head))))

    chosen = targets(network, head, ())
    inject(network, chosen)
    tensors, metadata = exported(network, chosen, head)
    write_adapter(tmp_path / "adapter.safetensors", Adapter(base, tensors, metadata))

    assert head == ("class_layers.out.weight", "class_layers.out.bias")
    assert normed / total <= 0.015
    assert sum(tensor.numel() for tensor in tensors.values()) / total <= 0.09
    assert (tmp_path / "adapter.safetensors").stat().st_size <= 0.10 * (tmp_path / "base.pt").stat().st_size


def test_lora_is_left_out_where_peft_could_not_merge_it() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, 3, padding_mode="reflect", padding=1),
        nn.ConvTranspose2d(4, 4, 2), nn.Conv2d(4, 4, 1, dilation=2), nn.Conv2d(4, 1, 1),
    )  # fmt: skip

    assert targets(network, ("5.weight", "5.bias"), ()).lora == ("4",)


def test_layers_inside_an_attention_that_reads_their_weights_itself_are_left_out() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.mlp, self.head = nn.MultiheadAttention(8, 2), nn.Linear(8, 8), nn.Linear(8, 1)

    chosen = targets(Attends(), ("head.weight", "head.bias"), ())

    assert (chosen.lora, chosen.rank) == (("mlp",), 8)


def test_a_volumes_convolutions_get_ia3_and_an_output_that_is_the_bases_at_first() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.Conv3d(4, 4, 1), nn.Conv3d(4, 2, 1)).eval()
    image, before = torch.rand(1, 1, 6, 6, 6), state_of(network)
    plain = network(image)

    chosen = targets(network, ("3.weight", "3.bias"), ())
    inject(network, chosen)

    tensors, _ = exported(network, chosen, ("3.weight", "3.bias"))
    assert (chosen.lora, chosen.ia3) == ((), ("0", "2"))
    assert torch.equal(network.eval()(image), plain)
    assert tensors["ia3/0.weight"].tolist() == [1.0] * 4
    require_base(network, before, ("3.weight", "3.bias"))


def test_a_network_without_a_layer_for_an_adapter_says_what_to_choose() -> None:
    with pytest.raises(ModelFault, match="choose the recipe norm or head"):
        targets(nn.Sequential(nn.ConvTranspose2d(1, 1, 2), nn.Linear(1, 1)), ("1.weight", "1.bias"), ())


def test_statistics_of_batch_norm_that_moved_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = state_of(network)

    network.train()(torch.rand(2, 1, 8, 8))

    with pytest.raises(BaseMoved, match=r"training changed 1\.running_mean, 1\.running_var, 1\.num_batches_tracked"):
        replaced(network, norm_parameters(network), before)


def test_norm_layers_keep_their_statistics_while_dropout_drops() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.InstanceNorm2d(1))

    set_modes(network, statistics=False)

    assert [layer.training for layer in network] == [False, True, True]


def test_a_block_learns_slower_the_deeper_it_lies_and_the_head_ten_times_as_fast() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.Linear(1, 1))
    names = [name for name, _ in network.named_parameters()]

    found = groups(network, names, ("2.weight", "2.bias"), 0.05)

    assert [(group.rate, group.weight_decay) for group in found] == [
        (pytest.approx(0.8 ** 2), 0.0), (pytest.approx(0.8 ** 3), 0.0), (pytest.approx(0.8 ** 4), 0.0),
        (pytest.approx(0.8 ** 5), 0.0), (10.0, 0.05),
    ]  # fmt: skip
