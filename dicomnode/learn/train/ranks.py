"""Several processes that train one network together: each takes a part of every batch, and the gradients are averaged.

The result is that of one process on whole batches, but for the order of sums (and for the statistics of a batch norm
that is in train mode, which are those of the part). torchrun starts the processes; they meet in a file and speak on
loopback alone. One process without torchrun is a rank among one, for which all of this costs nothing.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

LOOPBACK = "lo"
PATIENCE = timedelta(weeks=4)
"""Between two words of the ranks: they are paused together, for a day if need be."""
T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """One process among those that train one network."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def part(self, batch: Sequence[T]) -> Sequence[T]:
        """The part of a batch for this process; it may be empty. Every process must be given the same batch."""
        return batch[self.rank :: self.count]

    def mean_gradients(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        """Make each gradient the mean over all parts.

        Args:
            parameters: those that are trained; one without a gradient counts as zero.
            weight: what this part's loss was divided by: its items, or the sum of their weights; 0 for an empty part.
        """
        if self.count == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [_gradient(parameter).flatten() for parameter in trained]
        flat = torch.cat([*gradients, gradients[0].new_ones(1)]) * weight
        dist.all_reduce(flat)
        flat = flat[:-1] / flat[-1].clamp_min(torch.finfo(flat.dtype).tiny)
        for parameter, mean in zip(trained, torch.split(flat, [p.numel() for p in trained]), strict=True):
            parameter.grad = mean.view_as(parameter).clone()

    def as_first(self, network: nn.Module) -> None:
        """Make every parameter and buffer what it is in the first process: at the start, and before it is saved."""
        if self.count == 1:
            return
        for tensor in (*network.parameters(), *network.buffers()):
            dist.broadcast(tensor.detach(), 0)

    def said_by_first(self, figures: Sequence[float]) -> list[float]:
        """Figures of the first process, to decide by alike (early stopping); the others give as many, of any value."""
        if self.count == 1:
            return [float(figure) for figure in figures]
        told = torch.tensor([float(figure) for figure in figures], dtype=torch.float64, device=_speaks_on(self.rank))
        dist.broadcast(told, 0)
        return [float(figure) for figure in told.cpu()]

    def device(self, wanted: torch.device) -> torch.device:
        """The device of this process: one accelerator each."""
        if self.count == 1 or wanted.type != "cuda":
            return wanted
        return torch.device("cuda", self.rank % torch.cuda.device_count())


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started, until the block ends; where it started none there is one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Ranks()
        return
    os.environ |= {"GLOO_SOCKET_IFNAME": LOOPBACK, "NCCL_SOCKET_IFNAME": LOOPBACK}
    ranks = Ranks(int(os.environ["RANK"]), count)
    own = device.type == "cuda" and torch.cuda.device_count() >= count  # nccl wants an accelerator for each
    if own:
        torch.cuda.set_device(ranks.device(device))
    meeting = dist.FileStore(  # type: ignore[attr-defined] # where torch builds it; not in its stubs
        str(Path(os.environ["TMPDIR"]) / "ranks"), count
    )
    dist.init_process_group(
        "nccl" if own else "gloo", store=meeting, rank=ranks.rank, world_size=count, timeout=PATIENCE
    )
    try:
        yield ranks
    finally:
        dist.destroy_process_group()


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _speaks_on(rank: int) -> torch.device:
    return torch.device("cuda", rank) if dist.get_backend() == "nccl" else torch.device("cpu")
