"""Several training processes, or accelerators, on one candidate: each takes its part of every batch.

They are started by `torchrun`, which says in the environment which one this is. All of them hold the same weights at
every step: gradients are averaged, and the first alone writes.
"""

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dicomnode.learn.train.pool import Batch


def join() -> None:
    """Meet the other processes of this training, where there are any."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def leave() -> None:
    """End the meeting."""
    if dist.is_initialized():
        dist.destroy_process_group()


def leads() -> bool:
    """Whether this process writes and speaks for all."""
    return not dist.is_initialized() or dist.get_rank() == 0


def device_for(device: torch.device) -> torch.device:
    """The accelerator of this process, of several."""
    if dist.is_initialized() and device.type == "cuda":
        return torch.device("cuda", dist.get_rank() % torch.cuda.device_count())
    return device


def wait() -> None:
    """Until all are here."""
    if dist.is_initialized():
        dist.barrier()


def shard(batch: Batch) -> Batch:
    """Part of a batch that this process takes; the whole where there are fewer samples than processes."""
    if not dist.is_initialized() or len(batch["image"]) < dist.get_world_size():
        return batch
    part = slice(dist.get_rank(), None, dist.get_world_size())
    return {key: value[part] for key, value in batch.items()}


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """The mean over all processes."""
    if not dist.is_initialized():
        return
    for parameter in parameters:
        gradient: Tensor = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        dist.all_reduce(gradient)
        parameter.grad = gradient / dist.get_world_size()
