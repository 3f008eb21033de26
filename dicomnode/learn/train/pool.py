"""The items of a training set as tensors, kept in memory where they fit, changed a little each time they are shown."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import torch
from monai.data import CacheDataset
from monai.transforms import Compose, Transform
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dicomnode.errors import ModelFault, NodeError
from dicomnode.learn.train.faults import NothingToLearnFrom
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.values import Item, Source, TrainingSet

Batch = dict[str, Any]
CACHE_BYTES = 2 << 30
LISTED = ("boxes", "labels")
"""What differs in length from item to item, and stays a list in a batch."""


class Pool(Protocol):
    """Samples that are shown to a network."""

    def __len__(self) -> int:
        """How many."""

    def sample(self, number: int) -> Batch:
        """One of them; another one each time where it is augmented."""

    def reseed(self, seed: int) -> None:
        """Begin the chance of augmentation anew."""


class ItemPool:
    """Items of training sets, as `sets` wrote them."""

    def __init__(
        self, files: Sequence[tuple[Path, Item]], augmentation: Sequence[Transform] = (), *, cached: bool = True
    ) -> None:
        data = [{"file": str(folder / item.file), "item": item} for folder, item in files]
        self._transform = Compose([_Read(), *augmentation])
        self._transform.set_random_state(0)
        room = _fitting(data) if cached else 0
        # copied each time: some of MONAI's transforms change what they are given
        with _own_faults():
            self._data = CacheDataset(data, self._transform, cache_num=room, num_workers=None, progress=False)

    def __len__(self) -> int:
        """How many."""
        return len(self._data)

    def sample(self, number: int) -> Batch:
        """One of them, or several crops of it in a list."""
        with _own_faults():
            found: Batch = self._data[number]
        return found

    def reseed(self, seed: int) -> None:
        """Begin the chance of augmentation anew."""
        self._transform.set_random_state(seed % (1 << 32))


class FixedPool:
    """Samples that are in memory as they are: the features that a frozen network sees."""

    def __init__(self, samples: Sequence[Batch]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        """How many."""
        return len(self._samples)

    def sample(self, number: int) -> Batch:
        """One of them."""
        return self._samples[number]

    def reseed(self, seed: int) -> None:
        """Nothing is left to chance."""


def files(training: TrainingSet, items: Sequence[Item]) -> list[tuple[Path, Item]]:
    """Items with the folder that they lie in."""
    return [(training.folder, item) for item in items]


@dataclass(frozen=True)
class Plan:
    """How batches are made."""

    batch: int
    seed: int
    first_epoch: int
    ranks: Ranks


def endless(pool: Pool, plan: Plan, *, replay: Pool | None = None) -> Iterator[Batch]:
    """Batches, epoch after epoch; what an epoch shows follows from the seed and its number alone.

    Of a replay a third as many samples are mixed in as there are own ones: a quarter of what is shown. Of several
    processes each is given its part, which may be empty.
    """
    for epoch in count(plan.first_epoch):
        rng = torch.Generator().manual_seed(plan.seed * 1_000_003 + epoch)
        shown: list[tuple[Pool, int]] = [(pool, n) for n in range(len(pool))]
        if replay is not None and len(replay):
            draw = torch.randint(len(replay), (max(1, len(pool) // 3),), generator=rng).tolist()
            shown += [(replay, n) for n in draw]
            replay.reseed(plan.seed * 7 + epoch)
        pool.reseed(plan.seed * 7 + epoch)
        order = torch.randperm(len(shown), generator=rng).tolist()
        for start, end in _cuts(len(order), plan.batch):
            mine = plan.ranks.part(order[start:end])
            yield collated([shown[n] for n in mine]) if mine else {}


def steps(pool: Pool, batch: int, replay: Pool | None = None) -> int:
    """Batches of one epoch."""
    shown = len(pool) + (max(1, len(pool) // 3) if replay is not None and len(replay) else 0)
    return len(_cuts(shown, batch))


def _cuts(shown: int, batch: int) -> list[tuple[int, int]]:
    """From and to of each batch; one sample is never left alone, for batch norm knows no spread of it."""
    starts = list(range(0, shown, batch))
    if len(starts) > 1 and shown - starts[-1] == 1:
        del starts[-1]
    return list(zip(starts, [*starts[1:], shown], strict=True))


def in_order(pool: Pool, batch: int) -> Iterator[Batch]:
    """All samples once, in their order."""
    for start in range(0, len(pool), batch):
        yield collated([(pool, n) for n in range(start, min(start + batch, len(pool)))])


def collated(shown: Sequence[tuple[Pool, int]]) -> Batch:
    """Samples as one batch."""
    samples: list[Mapping[str, Any]] = []
    for pool, number in shown:
        found = pool.sample(number)
        samples += found if isinstance(found, list) else [found]
    return {key: _together(key, [sample[key] for sample in samples]) for key in samples[0]}


def on_device(batch: Batch, device: torch.device) -> Batch:
    """A batch, moved."""
    return {key: _moved(value, device) for key, value in batch.items()}


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 -- a tensor, or a list of them
    return [one.to(device) for one in value] if isinstance(value, list) else value.to(device, non_blocking=True)


def _together(key: str, parts: list[Tensor]) -> Tensor | list[Tensor]:
    same = all(part.shape == parts[0].shape for part in parts)
    return torch.stack(parts) if same and key not in LISTED else parts


def _fitting(data: Sequence[Mapping[str, Any]]) -> int:
    """Items for which there is room in memory."""
    if not data:
        raise NothingToLearnFrom("train")
    try:
        largest = max(Path(one["file"]).stat().st_size for one in data)
    except FileNotFoundError as fault:
        raise ModelFault("an item of the training set is missing: make the set again") from fault
    return min(len(data), CACHE_BYTES // max(1, largest))


@contextmanager
def _own_faults() -> Iterator[None]:
    """MONAI wraps what a transform raises."""
    try:
        yield
    except RuntimeError as fault:
        if isinstance(fault.__cause__, NodeError):
            raise fault.__cause__ from fault
        raise


class _Read(Transform):  # type: ignore[misc]
    """The tensors of one item, with what is known of its label."""

    def __call__(self, data: Mapping[str, Any]) -> Batch:
        item: Item = data["item"]
        try:
            found: Batch = dict(load_file(data["file"]))
        except (SafetensorError, OSError) as fault:
            raise ModelFault(f"item {item.item_id[:12]}… cannot be read: {fault}; make the set again") from fault
        targets = [float("nan") if target is None else target for target in item.targets]
        found["image"] = found["image"].float()
        if "mask" in found:
            found["mask"] = found["mask"][None].float()
        found["targets"] = torch.tensor(targets, dtype=torch.float32)
        found["weight"] = torch.tensor(item.weight, dtype=torch.float32)
        found["from_report"] = torch.tensor(item.source is Source.REPORT)
        return found
