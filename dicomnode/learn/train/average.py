"""The running average of what is trained, which is better than its last step in a long training."""

import torch
from torch import Tensor

from dicomnode.learn.train.recipes import EMA


class Average:
    """Exponential moving average of named tensors."""

    def __init__(self, values: dict[str, Tensor]) -> None:
        self.values = {name: value.detach().clone() for name, value in values.items()}

    def follow(self, values: dict[str, Tensor]) -> None:
        """Take in the values of one more step; counters are taken as they are."""
        with torch.no_grad():
            for name, mean in self.values.items():
                if mean.is_floating_point():
                    mean.lerp_(values[name], 1 - EMA)
                else:
                    mean.copy_(values[name])
