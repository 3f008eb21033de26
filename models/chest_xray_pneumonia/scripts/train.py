"""Training: progressive image size, one learning-rate cycle, averaged weights; resumes from its checkpoint."""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from scripts.augment import augment
from scripts.radiographs import Radiographs, read_split

log = logging.getLogger("training")


@dataclass(frozen=True)
class Recipe:
    """What the training can be told."""

    stages: list[list[int]]
    """(image size, epochs), in order."""
    batch_size: int
    learning_rate: float
    """The highest of the cycle."""
    weight_decay: float
    ema_decay: float
    """How much of the averaged weights a step keeps."""

    def sizes(self) -> list[int]:
        """The image size of each epoch."""
        return [size for size, epochs in self.stages for _ in range(epochs)]


class Training:
    """One run over all epochs: the network, its averaged copy, the optimiser and where they stand."""

    def __init__(self, network: torch.nn.Module, recipe: Recipe, steps: int, device: torch.device) -> None:
        self.recipe, self.device, self.epoch, self.best_auc = recipe, device, 0, 0.0
        self.network = network.to(device, memory_format=torch.channels_last)
        average = get_ema_multi_avg_fn(recipe.ema_decay)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, total_steps=steps * len(recipe.sizes()), pct_start=0.2
        )

    def save(self, path: Path) -> None:
        """Write where the training stands, whole or not at all."""
        held = (self.network, self.averaged, self.optimizer, self.schedule)
        state = {"epoch": self.epoch, "best_auc": self.best_auc, "held": [part.state_dict() for part in held]}
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
        self.epoch, self.best_auc = state["epoch"], state["best_auc"]

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """Learn from one batch; the loss."""
        images = images.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network(images)[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits.float(), labels.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.averaged.update_parameters(self.network)
        return loss.item()


def train_epoch(training: Training, data: Radiographs, size: int) -> float:
    """One pass over the training images; the mean loss."""
    training.network.train()
    batch = training.recipe.batch_size
    batches = torch.randperm(len(data.labels)).split(batch)[: len(data.labels) // batch]
    losses = [training.step(augment(data.images[chosen].float(), size), data.labels[chosen]) for chosen in batches]
    return sum(losses) / len(losses)


@torch.inference_mode()
def logits_of(network: torch.nn.Module, images: torch.Tensor, device: torch.device, size: int = 224) -> torch.Tensor:
    """(image,): the network's logits at one image size."""
    network.eval()
    logits = []
    for chosen in images.split(32):
        resized = F.interpolate(chosen.float(), (size, size), mode="area") if size != 224 else chosen.float()
        with torch.autocast(device.type, torch.bfloat16):
            logits.append(network(resized.to(device))[:, 0].float().cpu())
    return torch.cat(logits)


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
    """Train on the training split and keep the averaged weights of the last stage with the best validation AUC."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    train, validation = (read_split(Path(bundle_root), Path(dataset_dir), name) for name in ("train", "validation"))
    training = Training(network, recipe, len(train.labels) // recipe.batch_size, device)
    training.resume(Path(checkpoint))
    sizes, last_stage = recipe.sizes(), len(recipe.sizes()) - recipe.stages[-1][1]
    for epoch in range(training.epoch, len(sizes)):
        torch.manual_seed(seed + epoch)
        loss = train_epoch(training, train, sizes[epoch])
        logits = logits_of(training.averaged, validation.images, device, sizes[epoch])
        auc = float(roc_auc_score(validation.labels, logits))
        note(Path(output_dir), {"epoch": epoch, "size": sizes[epoch], "loss": f"{loss:.4f}", "auc": f"{auc:.4f}"})
        if epoch >= last_stage and auc > training.best_auc:
            training.best_auc = auc
            torch.save(plain_weights(training.averaged.module), Path(output_dir) / "model.pt")
        training.epoch = epoch + 1
        training.save(Path(checkpoint))


def plain_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of a network on the CPU in the usual memory layout."""
    return {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}


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
