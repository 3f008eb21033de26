"""Tiny networks with every kind of layer that an adapter may meet."""

import torch
from monai.networks.nets import ViT
from torch import Tensor, nn

SEED = 7


class Block(nn.Module):
    """Two convolutions, the first of size 1, with batch norms, joined to their input as DenseNet does."""

    def __init__(self, conv: type[nn.Module], norm: type[nn.Module], channels: int) -> None:
        super().__init__()
        self.one = conv(channels, 2 * channels, kernel_size=1, bias=False)
        self.norm = norm(2 * channels)
        self.three = conv(2 * channels, channels, kernel_size=3, padding=1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.three(torch.relu(self.norm(self.one(x))))], 1)


class Dense(nn.Module):
    """A few layers in DenseNet's manner, with running statistics that are not those of a fresh network."""

    def __init__(self, dimensions: int, outputs: int = 2) -> None:
        super().__init__()
        conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dimensions]
        self.first = conv(1, 4, kernel_size=3, padding=1, stride=2)
        self.block = Block(conv, norm, 4)
        self.norm = norm(8)
        self.head = nn.Linear(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.block(self.first(x))))
        return self.head(x.flatten(2).mean(2))


def dense(dimensions: int) -> nn.Module:
    """Such a network in eval mode, always the same."""
    torch.manual_seed(SEED)
    network = Dense(dimensions)
    network(torch.randn(4, 1, *(8,) * dimensions))
    return network.eval()


def vit() -> nn.Module:
    """A vision transformer of a few thousand parameters."""
    torch.manual_seed(SEED)
    return ViT(
        in_channels=1, img_size=(16, 16), patch_size=(8, 8), hidden_size=24, mlp_dim=32, num_layers=2, num_heads=2,
        classification=True, num_classes=2, spatial_dims=2, post_activation=None,
    ).eval()  # fmt: skip


def images(dimensions: int, size: int = 8) -> Tensor:
    """Four images."""
    torch.manual_seed(SEED + 1)
    return torch.randn(4, 1, *(size,) * dimensions)
