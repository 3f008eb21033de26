"""Training: random patches, one learning-rate cycle, averaged weights; resumes from its checkpoint."""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.transforms import Compose, RandSpatialCrop, SpatialPad
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from scripts.augment import augment
from scripts.crops import LABELS, Crop, read_split

log = logging.getLogger("training")


@dataclass(frozen=True)
class Recipe:
    """What the training can be told."""

    epochs: int
    batch_size: int
    learning_rate: float
    """The highest of the cycle."""
    weight_decay: float
    ema_decay: float
    """How much of the averaged weights a step keeps."""
    patches: list[list[int]]
    """Patch sizes in voxels, one drawn a batch."""


class Training:
    """One run over all epochs: the network, its averaged copy, the optimiser and where they stand."""

    def __init__(self, network: torch.nn.Module, recipe: Recipe, steps: int, device: torch.device) -> None:
        self.recipe, self.device, self.epoch, self.best_dice = recipe, device, 0, 0.0
        self.network = network.to(device, memory_format=torch.channels_last_3d)
        average = get_ema_multi_avg_fn(recipe.ema_decay)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, total_steps=steps * recipe.epochs, pct_start=0.15
        )
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    def save(self, path: Path) -> None:
        """Write where the training stands, whole or not at all."""
        held = (self.network, self.averaged, self.optimizer, self.schedule)
        state = {"epoch": self.epoch, "best_dice": self.best_dice, "held": [part.state_dict() for part in held]}
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint, where there is one."""
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        for part, saved in zip(
            (self.network, self.averaged, self.optimizer, self.schedule), state["held"], strict=True
        ):
            part.load_state_dict(saved)
        self.epoch, self.best_dice = state["epoch"], state["best_dice"]

    def step(self, images: torch.Tensor, masks: torch.Tensor) -> float:
        """Learn from one batch; the loss."""
        images = images.to(self.device, memory_format=torch.channels_last_3d)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network(images)
        loss = self.loss(logits.float(), masks[:, None].to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        return float(loss.item())


def patches_of(crops: list[Crop], size: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """(crop, 1, x, y, z) images and (crop, x, y, z) masks of one size, from anywhere in each crop."""
    cut = Compose([SpatialPad(size), RandSpatialCrop(size, random_size=False)])
    both = torch.stack([cut(torch.cat([crop.image, crop.mask[None].float()])).as_tensor() for crop in crops])
    return both[:, :1], both[:, 1].round().long()


def train_epoch(training: Training, crops: list[Crop]) -> float:
    """One pass over the training crops; the mean loss."""
    training.network.train()
    losses = []
    for chosen in torch.randperm(len(crops)).split(training.recipe.batch_size):
        size = training.recipe.patches[int(torch.randint(len(training.recipe.patches), ()))]
        images, masks = patches_of([crops[i] for i in chosen], size)
        losses.append(training.step(*augment(images, masks)))
    return sum(losses) / len(losses)


@torch.inference_mode()
def predict(network: torch.nn.Module, image: torch.Tensor, device: torch.device) -> torch.Tensor:
    """(x, y, z): the label of each voxel."""
    inferer = SlidingWindowInferer(roi_size=(48, 64, 48), overlap=0.5, mode="gaussian")
    network.eval()
    with torch.autocast(device.type, torch.bfloat16):
        logits = inferer(image[None].to(device), network)
    return logits[0].argmax(0).cpu()


def dice(predicted: torch.Tensor, mask: torch.Tensor) -> list[float]:
    """The Dice coefficient of the anterior and the posterior part."""
    one, other = (F.one_hot(labels, LABELS)[..., 1:].bool().flatten(0, 2) for labels in (predicted, mask))
    return (2 * (one & other).sum(0) / (one.sum(0) + other.sum(0)).clamp(min=1)).tolist()


def fit(
    network: torch.nn.Module,
    recipe: Recipe,
    *,
    bundle_root: str,
    dataset_dir: str,
    output_dir: str,
    checkpoint: str,
    device: torch.device,
    seed: int,
    threads: int,
) -> None:
    """Train on the training split and keep the averaged weights with the best mean Dice on the validation split."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    train, validation = (read_split(Path(bundle_root), Path(dataset_dir), name) for name in ("train", "validation"))
    training = Training(network, recipe, -(-len(train) // recipe.batch_size), device)
    training.resume(Path(checkpoint))
    for epoch in range(training.epoch, recipe.epochs):
        torch.manual_seed(seed + epoch)
        facts: dict[str, object] = {"epoch": epoch, "loss": f"{train_epoch(training, train):.4f}", "dice": ""}
        training.epoch = epoch + 1
        if training.epoch % 5 == 0 or training.epoch == recipe.epochs:
            facts["dice"] = f"{keep_if_best(training, validation, Path(output_dir)):.4f}"
            training.save(Path(checkpoint))
        note(Path(output_dir), facts)


def keep_if_best(training: Training, validation: list[Crop], output_dir: Path) -> float:
    """The mean Dice of the averaged weights on the validation split; the weights are kept if it is the best yet."""
    scores = [dice(predict(training.averaged, crop.image, training.device), crop.mask) for crop in validation]
    mean = float(torch.tensor(scores).mean())
    if mean > training.best_dice:
        training.best_dice = mean
        state = training.averaged.module.state_dict()
        weights = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        torch.save(weights, output_dir / "model.pt")
    return mean


def note(output_dir: Path, facts: dict[str, object]) -> None:
    """Log one epoch and append it to ``progress.csv``."""
    log.info("epoch %s", facts)
    path = output_dir / "progress.csv"
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(facts))
        if fresh:
            writer.writeheader()
        writer.writerow(facts)
