"""What all parts of a train job share: its order, its bundle, its items."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.bundles.digest import digest
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle, load_bundle
from dicomnode.infer.forward import device_of
from dicomnode.learn.orders import AnswerOrder, GalleryOrder, TrainOrder
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.train.fitting import Wanted
from dicomnode.learn.train.loop import Say
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.train.recipes import PATIENCE, RECIPES
from dicomnode.learn.values import Item, RecipeName, Split, TrainingSet


@dataclass(frozen=True)
class Job:
    """One train order, opened."""

    order: TrainOrder
    folder: Path
    say: Say
    bundle: Bundle
    training: TrainingSet
    device: torch.device
    train: tuple[Item, ...]
    """Of the training split, the share that the order wants."""
    replay: TrainingSet | None
    ranks: Ranks
    patience: int = PATIENCE

    @property
    def stop(self) -> tuple[Item, ...]:
        """Items of the validation split."""
        return self.training.judging(Split.VALIDATION)

    @property
    def is_segmentation(self) -> bool:
        """Whether each label says something of every voxel."""
        return self.bundle.dicom.model.kind is Kind.SEGMENTATION

    @property
    def stamp(self) -> str:
        """Of all that decides what comes of the order."""
        return hashlib.sha256(self.order.model_dump_json().encode()).hexdigest()

    def wanted(self, recipe: RecipeName, *, learning_rate: float | None = None, name: str = "") -> Wanted:
        """The fit of one recipe on the whole training split."""
        rate = learning_rate or self.order.learning_rate
        return Wanted(
            self.bundle,
            self.training,
            self.train,
            self.stop,
            RECIPES[recipe],
            self.order.seed,
            self.device,
            name or recipe.value,
            self.say,
            rate,
            self.order.epochs,
            self.folder,
            f"{self.stamp} {recipe} {rate}",
            self.replay,
            self.ranks,
            self.patience,
        )


def open_job(order: TrainOrder, folder: Path, say: Say, ranks: Ranks) -> Job:
    """The order with all that it names.

    Raises:
        ModelFault: the bundle is not the one ordered, or the training set was made for another.
    """
    bundle, device = opened(order)
    training = load_set(order.training_set)
    require_made_for(training, bundle)
    replay = None if order.replay is None else load_set(order.replay)
    train = shared(training.of(Split.TRAIN), order.share, order.seed)
    return Job(order, folder, say, bundle, training, ranks.device(device), train, replay, ranks)


def opened(order: TrainOrder | AnswerOrder | GalleryOrder) -> tuple[Bundle, torch.device]:
    """The bundle of an order, if it is what the order says, and the device to use.

    Raises:
        ModelFault: its files are not those of the digest.
    """
    folder = order.bundle.resolve()
    if (found := digest(folder)) != order.digest:
        raise ModelFault(f"bundle {folder.name} has digest {found[:12]}…, ordered is {order.digest[:12]}…")
    if order.threads:
        torch.set_num_threads(order.threads)
    return load_bundle(folder), device_of(order.device, allow_cpu=True)[0]


def require_made_for(training: TrainingSet, bundle: Bundle) -> None:
    """Refuse a training set that says nothing of this bundle's outputs."""
    outputs = len(bundle.dicom.findings)
    wrong = next((item for item in training.items if item.targets and len(item.targets) != outputs), None)
    if bundle.dicom.model.kind is Kind.CLASSIFICATION and wrong is not None:
        raise ModelFault(
            f"the training set labels {len(wrong.targets)} findings, bundle {bundle.folder.name} has {outputs}: "
            "it was made for another version; make it again"
        )


def shared(items: Sequence[Item], share: float, seed: int) -> tuple[Item, ...]:
    """The items of a share of the patients; a larger share holds every patient of a smaller one."""
    if share >= 1:
        return tuple(items)
    order = {item.patient: hashlib.sha256(f"{seed}{item.patient}".encode()).digest() for item in items}
    patients = sorted(order, key=order.__getitem__)
    chosen = set(patients[: max(1, round(share * len(patients)))])
    return tuple(item for item in items if item.patient in chosen)
