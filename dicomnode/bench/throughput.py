"""`dicomnode bench train-throughput`: images a second of our training loop beside a bare PyTorch loop.

Both train every parameter of the chest X-ray model (DenseNet121) on the same images in the same batches, with AdamW and
clipped gradients, batch norm in inference mode. The bare loop does nothing else. Ours counts, decides, and copies the
best values; no augmentation, which is work for the model and no overhead of the loop.
"""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dicomnode.bench.training_made import require_bundle, set_made
from dicomnode.infer.bundle import Bundle, load_bundle
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.train.loop import Course, Shown, Subject, run
from dicomnode.learn.train.parts import Group, set_modes
from dicomnode.learn.train.pool import ItemPool, files
from dicomnode.learn.train.recipes import CLIP
from dicomnode.learn.train.task import task_of
from dicomnode.learn.values import Split
from dicomnode.scratch import scratch_folder

IMAGES, BATCH, EPOCHS = 32, 8, 2
RATE = 1e-4
TARGET = 0.9


@dataclass(frozen=True)
class Pair:
    """One measurement of each, one after the other."""

    ours: float
    """Images a second."""
    bare: float

    @property
    def ratio(self) -> float:
        """Ours over the bare loop."""
        return self.ours / self.bare


def measure(repeats: int, told: Callable[[str], None], device: str = "auto") -> list[Pair]:
    """So many pairs, the one that begins taking turns, after one that warms the machine."""
    with scratch_folder() as folder:
        course = _Both(folder, torch.device(_device(device)))
        found = []
        for number in range(repeats + 1):
            told("a first pair, to warm up" if number == 0 else f"pair {number} of {repeats}")
            found.append(course.pair(ours_first=bool(number % 2)))
        return found[1:]


def ratio(found: list[Pair]) -> float:
    """Median over the pairs."""
    return statistics.median(pair.ratio for pair in found)


def words(found: list[Pair]) -> str:
    """For a person."""
    ours, bare = (statistics.median(getattr(pair, which) for pair in found) for which in ("ours", "bare"))
    ratios = sorted(pair.ratio for pair in found)
    spread = f"{ratio(found):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})"
    return (
        f"images a second, median of {len(found)} pairs: ours {ours:.1f}, bare loop {bare:.1f}; ratio {spread}, "
        f"target ≥ {TARGET:g}: {'reached' if ratio(found) >= TARGET else 'MISSED'}"
    )


def _device(wanted: str) -> str:
    return wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


class _Both:
    """The bundle, its images, and the two ways to train on them."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.device = device
        self.bundle: Bundle = load_bundle(require_bundle())
        training = load_set(set_made(folder, IMAGES))
        self.pool = ItemPool(files(training, training.of(Split.TRAIN)))
        samples = [self.pool.sample(number) for number in range(len(self.pool))]
        self.images = torch.stack([sample["image"] for sample in samples])
        self.targets = torch.stack([sample["targets"] for sample in samples])

    def pair(self, *, ours_first: bool) -> Pair:
        """Both, on fresh copies of the network."""
        if ours_first:
            ours = self._timed(self._ours)
            return Pair(ours, self._timed(self._bare))
        bare = self._timed(self._bare)
        return Pair(self._timed(self._ours), bare)

    def _timed(self, train: Callable[[nn.Module], None]) -> float:
        network = copy.deepcopy(self.bundle.network)
        began_s = time.monotonic()
        train(network)
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return IMAGES * EPOCHS / (time.monotonic() - began_s)

    def _ours(self, network: nn.Module) -> None:
        subject = Subject(
            network, task_of(self.bundle, self.pool), [Group(tuple(name for name, _ in network.named_parameters()))]
        )
        course = Course("bench", RATE, EPOCHS, BATCH, 0, self.device)
        run(subject, Shown(self.pool, None), course, lambda _: None)

    def _bare(self, network: nn.Module) -> None:
        network.to(self.device)
        set_modes(network, statistics=False)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
        loss_of = nn.BCEWithLogitsLoss()
        batches = DataLoader(TensorDataset(self.images, self.targets), batch_size=BATCH, shuffle=True)
        for _ in range(EPOCHS):
            for images, targets in batches:
                optimizer.zero_grad()
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                    loss = loss_of(network(images.to(self.device)), targets.to(self.device))
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimizer.step()
