"""Inner cross-validation: three folds of whole patients out of the training and validation splits; no test is near."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dicomnode.learn.train.faults import NothingToLearnFrom
from dicomnode.learn.train.job import Job
from dicomnode.learn.values import Item

FOLDS, FOR_STOPPING = 3, 5


@dataclass(frozen=True)
class Fold:
    """One split; no patient is in two of its parts."""

    train: tuple[Item, ...]
    stop: tuple[Item, ...]
    """A fifth of the rest, for early stop: the held-out part is looked at once, at the end."""
    held_out: tuple[Item, ...]


def folds(job: Job) -> list[Fold]:
    """The same folds for every recipe and rate.

    Raises:
        NothingToLearnFrom: there are fewer patients than folds.
    """
    items = (*job.train, *job.stop)
    return [
        Fold(*next(_parted(rest, FOR_STOPPING, job.order.seed)), held_out)
        for rest, held_out in _parted(items, FOLDS, job.order.seed)
    ]


def _parted(items: Sequence[Item], parts: int, seed: int) -> Iterator[tuple[tuple[Item, ...], tuple[Item, ...]]]:
    """Each part once as the second of two, with about the same share of positives."""
    parts = min(parts, len({item.patient for item in items}))
    if parts < 2:
        raise NothingToLearnFrom("train")
    classes = _classes(items)
    splitter = StratifiedGroupKFold(_most(classes, parts), shuffle=True, random_state=seed)
    for rest, part in splitter.split(classes, classes, [item.patient for item in items]):
        yield tuple(items[n] for n in rest), tuple(items[n] for n in part)


def _classes(items: Sequence[Item]) -> NDArray[np.int_]:
    """1 for an item with any positive finding."""
    return np.array([int(any(target == 1 for target in item.targets)) for item in items])


def _most(classes: NDArray[np.int_], parts: int) -> int:
    """Parts that each class suffices for."""
    _, counts = np.unique(classes, return_counts=True)
    return max(2, min(parts, int(counts.min())))
