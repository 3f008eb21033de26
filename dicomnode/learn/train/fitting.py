"""Fitting a network once with one recipe: what each recipe trains, and what it gives back."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Tune
from dicomnode.infer.bundle import Bundle
from dicomnode.learn.train.augment import augmentation, crops
from dicomnode.learn.train.faults import BaseMoved, NothingToLearnFrom
from dicomnode.learn.train.loop import ALONE, Course, Say, Shown, Subject, Told, run
from dicomnode.learn.train.parts import (
    allowed,
    decayed,
    head_of,
    head_parameters,
    moved,
    norm_parameters,
    state_of,
)  # fmt: skip
from dicomnode.learn.train.pool import ItemPool, Pool, files
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.train.recipes import PATIENCE, STATISTICS_FROM_BATCH, Recipe
from dicomnode.learn.train.task import Task, task_of
from dicomnode.learn.values import Item, TrainingSet

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Wanted:
    """One fit: what, from what, how."""

    bundle: Bundle
    """Its network is the base, and is left as it is."""
    training: TrainingSet
    train: tuple[Item, ...]
    stop: tuple[Item, ...]
    """Early stop; empty: the last epoch counts."""
    recipe: Recipe
    seed: int
    device: torch.device
    name: str
    say: Say
    learning_rate: float | None = None
    """None: the recipe's own."""
    epochs: int | None = None
    folder: Path | None = None
    """Of checkpoints."""
    stamp: str = ""
    replay: TrainingSet | None = None
    ranks: Ranks = ALONE
    patience: int = PATIENCE
    ramp: tuple[float, float] | None = None
    """Of a range test: from and to which rate."""

    @property
    def dimensions(self) -> int:
        """Of the network's images."""
        return self.bundle.dicom.series.dimensions


@dataclass(frozen=True)
class Fit:
    """What came of it."""

    network: nn.Module
    """Trained, in eval mode, of the bundle's own shape (but for `plain`)."""
    told: Told
    learning_rate: float
    trainable: int
    tensors: Tensors | None = None
    """For an adapter file; None: the whole network is what was made."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    wise_alpha: float | None = None
    notes: tuple[str, ...] = ()
    network_def: Mapping[str, object] | None = None
    """Of a network that is not the bundle's: what the bundle's configuration must say instead."""


def course_of(wanted: Wanted, batch: int) -> Course:
    """How the recipe trains, with what this fit wants otherwise."""
    return Course(
        wanted.name,
        wanted.learning_rate or wanted.recipe.learning_rate,
        wanted.epochs or wanted.recipe.epochs,
        min(batch, max(1, len(wanted.train))),
        wanted.seed,
        wanted.device,
        wanted.folder,
        wanted.stamp,
        ranks=wanted.ranks,
        patience=wanted.patience,
        ramp=wanted.ramp,
    )


def pools(wanted: Wanted, *, augmented: bool = True) -> Shown:
    """What this fit shows."""
    if not wanted.train:
        raise NothingToLearnFrom("train")
    changes = augmentation(wanted.bundle) if augmented else crops(wanted.bundle)
    train = ItemPool(files(wanted.training, wanted.train), changes)
    return Shown(train, stop_pool(wanted))


def stop_pool(wanted: Wanted) -> Pool | None:
    """Items for early stop, as they are."""
    return ItemPool(files(wanted.training, wanted.stop)) if wanted.stop else None


def task_for(wanted: Wanted, pool: Pool) -> Task:
    """The bundle's task."""
    return task_of(wanted.bundle, pool)


def example(pool: Pool) -> Tensor:
    """One image as a batch of one."""
    found = pool.sample(0)
    image: Tensor = (found[0] if isinstance(found, list) else found)["image"]
    return image[None]


def fit_full(wanted: Wanted) -> Fit:
    """Everything trains; batch norm follows the data where a batch is large enough to tell its spread."""
    network, batch = copy.deepcopy(wanted.bundle.network), wanted.recipe.batch(wanted.dimensions)
    names = allowed([name for name, _ in network.named_parameters()], wanted.bundle.dicom.tune.trainable)
    groups = list(decayed(network, names, wanted.recipe.weight_decay))
    course = course_of(wanted, batch)
    course = replace(course, statistics=min(batch, len(wanted.train)) >= STATISTICS_FROM_BATCH)
    shown = pools(wanted)
    told = run(Subject(network, task_for(wanted, shown.train), groups), shown, course, wanted.say)
    return Fit(network, told, course.learning_rate, count(network, names))


def fit_norm(wanted: Wanted) -> Fit:
    """Scale and shift of the norm layers, biases and head; running statistics stay the base's."""
    network, shown = copy.deepcopy(wanted.bundle.network), pools(wanted)
    head = head_parameters(network, head_of(network, example(shown.train)))
    tuned = allowed(norm_parameters(network), wanted.bundle.dicom.tune.trainable)
    names = tuple(dict.fromkeys((*tuned, *head)))
    before = state_of(network)
    course = course_of(wanted, wanted.recipe.batch(wanted.dimensions))
    groups = list(decayed(network, names, wanted.recipe.weight_decay))
    told = run(Subject(network, task_for(wanted, shown.train), groups), shown, course, wanted.say)
    return Fit(network.cpu(), told, course.learning_rate, count(network, names), replaced(network, names, before))


def fit_scratch(wanted: Wanted) -> Fit:
    """The bundle's own network from random weights, on these items alone."""
    network = copy.deepcopy(wanted.bundle.network)
    torch.manual_seed(wanted.seed)
    for layer in network.modules():
        if callable(reset := getattr(layer, "reset_parameters", None)):
            reset()
    untuned = wanted.bundle.dicom.model_copy(update={"tune": Tune()})
    return fit_full(replace(wanted, bundle=replace(wanted.bundle, network=network, dicom=untuned)))


def replaced(network: nn.Module, names: Sequence[str], before: Tensors) -> Tensors:
    """The tensors of an adapter file that puts these parameters in the place of the base's.

    Raises:
        BaseMoved: another parameter or buffer is not what it was.
    """
    if others := [name for name in moved(before, network) if name not in names]:
        raise BaseMoved(others)
    parameters = dict(network.named_parameters())
    return {f"set/{name}": parameters[name].detach().cpu().clone() for name in names}


def count(network: nn.Module, names: Sequence[str]) -> int:
    """Figures in these parameters."""
    parameters = dict(network.named_parameters())
    return sum(parameters[name].numel() for name in names)
