"""Whether a candidate's file makes the network that was trained."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from dicomnode.errors import ModelFault
from dicomnode.learn.adapters.file import read_adapter
from dicomnode.learn.adapters.swap import Swap
from dicomnode.learn.train.augment import crops
from dicomnode.learn.train.fitting import example
from dicomnode.learn.train.job import Job
from dicomnode.learn.train.pool import ItemPool, files

ADAPTER, WEIGHTS = "adapter.safetensors", "model.pt"
"""The file of a candidate."""
LARGEST = 1e-4
LOOKED_AT = 4


def reload_difference(job: Job, path: Path, trained: nn.Module) -> float:
    """Largest difference between the outputs of the trained network and of what its file makes again.

    Raises:
        ModelFault: it is more than 1e-4.
    """
    made = _made_again(job, path, trained)
    trained = trained.cpu().eval()
    items = files(job.training, job.train[:LOOKED_AT])
    images = [example(ItemPool([one], crops(job.bundle))) for one in items]
    with torch.no_grad():
        found = max(_difference(made.eval()(image), trained(image)) for image in images)
    if found > LARGEST:
        raise ModelFault(f"the candidate's file makes another network than the one that was trained: {found:.2g} apart")
    return found


def _made_again(job: Job, path: Path, trained: nn.Module) -> nn.Module:
    """The base with the adapter of a file, or the network with the weights of one."""
    if path.name == ADAPTER:
        made = copy.deepcopy(job.bundle.network).cpu()
        Swap(made).apply(read_adapter(path))
        return made
    made = copy.deepcopy(trained).cpu()
    made.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return made


def _difference(one: object, other: object) -> float:
    """Largest difference of two outputs, whatever they are made of."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return float((one - other).abs().max())
    if isinstance(one, dict) and isinstance(other, dict):
        return max(_difference(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return max(_difference(a, b) for a, b in zip(one, other, strict=True))
    return 0.0 if one == other else float("inf")
