"""The one training loop: AdamW, warm-up and cosine, clipping, early stop at the best, a checkpoint an epoch.

What happens in a step follows from the seed and the step's number alone, so that a training that was killed and goes
on ends bit for bit where it would have ended.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import Tensor, nn

from dicomnode.learn.train.average import Average
from dicomnode.learn.train.checkpoint import read, save
from dicomnode.learn.train.faults import Diverged
from dicomnode.learn.train.parts import Group, set_modes
from dicomnode.learn.train.pool import Batch, Plan, Pool, endless, on_device, steps
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.train.recipes import CLIP, EMA_FROM_STEPS, LEAST_EPOCHS, PATIENCE, RAMP_STEPS, WARM_UP
from dicomnode.learn.train.task import Figure, Task

Say = Callable[[dict[str, object]], None]
Penalty = Callable[[nn.Module], Tensor]


ALONE = Ranks()


@dataclass(frozen=True)
class Course:
    """How to train a network once."""

    name: str
    """For a person, and of its checkpoint."""
    learning_rate: float
    epochs: int
    batch: int
    seed: int
    device: torch.device
    folder: Path | None = None
    """Of its checkpoint; None: begun anew where it is killed."""
    stamp: str = ""
    """Of all that decides its outcome: another one's checkpoint is not gone on from."""
    statistics: bool = False
    """Running statistics of norm layers follow the data."""
    flat: bool = False
    """The learning rate stays as it is, and no early stop: the published recipe."""
    ranks: Ranks = ALONE
    patience: int = PATIENCE
    """Epochs without a better one, after which it stops."""
    ramp: tuple[float, float] | None = None
    """Of a range test: the rate grows from one to the other, step by step."""


NONE_YET = Figure(-math.inf, -math.inf)


@dataclass
class Told:
    """How a training went."""

    history: list[dict[str, float]] = field(default_factory=list)
    """An epoch each: loss, and figure on the items it did not train on."""
    best: Figure = NONE_YET
    best_epoch: int = 0
    losses: list[float] = field(default_factory=list)
    """Of a range test: a step each."""

    @property
    def epochs(self) -> int:
        """Epochs that ran."""
        return len(self.history)


@dataclass(frozen=True)
class Shown:
    """What a training shows to the network."""

    train: Pool
    stop: Pool | None
    """Early stop and the choice of the best epoch; None: the last epoch counts."""
    replay: Pool | None = None


@dataclass(frozen=True)
class Subject:
    """What is trained, for what."""

    network: nn.Module
    task: Task
    groups: list[Group]
    penalty: Penalty | None = None
    """Added to the loss."""


def run(subject: Subject, shown: Shown, course: Course, say: Say) -> Told:
    """Train a network's parameters; it holds the best epoch's values at the end, in eval mode.

    Raises:
        Diverged: the loss is no number any more; the network is of no use.
        NoRoomToLearn: the disk is full; an earlier epoch's checkpoint stays.
    """
    course.ranks.as_first(subject.network.to(course.device))
    training = _Training(subject, shown, course, say)
    training.resume()
    training.run()
    training.restore_best()
    return training.told


class _Training:
    """One training while it runs."""

    def __init__(self, subject: Subject, shown: Shown, course: Course, say: Say) -> None:
        self.subject, self.shown, self.course, self.say, self.told = subject, shown, course, say, Told()
        self.trained = _switch_on(subject.network, subject.groups)
        self._rates = [group.rate for group in subject.groups]
        self._optimizer = torch.optim.AdamW(
            [{"params": [self.trained[n] for n in g.names], "weight_decay": g.weight_decay} for g in subject.groups],
            lr=course.learning_rate,
        )
        self._length = steps(shown.train, course.batch, shown.replay)
        self._total = self._length * course.epochs
        self._average = Average(self._held()) if self._total > EMA_FROM_STEPS and not course.flat else None
        self._best = _copied(self._held())
        self._loss = torch.zeros((), device=course.device)

    def run(self) -> None:
        """All epochs that are left, in MONAI's trainer."""
        first = self.told.epochs
        if first >= self.course.epochs or self._is_over():
            return
        shown, course = self.shown, self.course
        plan = Plan(course.batch, course.seed, first, course.ranks)
        batches = endless(shown.train, plan, replay=shown.replay)
        trainer = SupervisedTrainer(
            device=course.device,
            max_epochs=course.epochs - first,
            train_data_loader=batches,
            epoch_length=self._length,
            network=self.subject.network,
            optimizer=self._optimizer,
            loss_function=self.subject.task.loss,
            iteration_update=lambda engine, batch: self._step(first * self._length + engine.state.iteration - 1, batch),
            decollate=False,
        )
        trainer.add_event_handler(Events.EPOCH_STARTED, self._on_epoch_started)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._on_epoch_completed)
        trainer.logger.disabled = True
        trainer.run()

    def resume(self) -> None:
        """Go on from the last whole epoch that was kept, if any."""
        found = read(self._file, self.course.stamp) if self._file else None
        if found is None:
            return
        _put(self._held(), found["values"])
        self._optimizer.load_state_dict(found["optimizer"])
        self._best = found["best_values"]
        self.told = Told(found["history"], Figure(*found["best"]), found["best_epoch"])
        if self._average:
            self._average.values = {name: value.to(self.course.device) for name, value in found["average"].items()}

    def restore_best(self) -> None:
        """Put the best epoch's values into the network."""
        _put(self._held(), self._best)
        self.subject.network.eval().requires_grad_(requires_grad=False)

    @property
    def _file(self) -> Path | None:
        return None if self.course.folder is None else self.course.folder / f"{self.course.name}.checkpoint"

    def _step(self, number: int, batch: Batch) -> dict[str, Tensor]:
        course = self.course
        torch.manual_seed(course.seed * 1_000_003 + number)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * self._rate(number)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._backward(batch) if batch else self._loss.new_zeros(())
        course.ranks.mean_gradients(self.trained.values(), weight_of(batch))
        nn.utils.clip_grad_norm_(self.trained.values(), CLIP)
        self._optimizer.step()
        if self._average:
            self._average.follow(self._held())
        self._loss += loss
        if course.ramp:
            self.told.losses.append(float(loss))
        return {"loss": loss}

    def _rate(self, number: int) -> float:
        course = self.course
        if course.ramp:
            low, high = course.ramp
            return float(low * (high / low) ** min(1.0, number / (RAMP_STEPS - 1)))
        return course.learning_rate * (1.0 if course.flat else factor(number, self._total))

    def _backward(self, batch: Batch) -> Tensor:
        course, subject = self.course, self.subject
        with torch.autocast(course.device.type, torch.bfloat16, enabled=course.device.type == "cuda"):
            loss = subject.task.loss(subject.network, on_device(batch, course.device))
            if subject.penalty is not None:
                loss = loss + subject.penalty(subject.network)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _on_epoch_started(self, _: Engine) -> None:
        set_modes(self.subject.network, statistics=self.course.statistics)
        self._loss.zero_()

    def _on_epoch_completed(self, engine: Engine) -> None:
        epoch, loss = self.told.epochs + 1, float(self._loss) / self._length
        if not math.isfinite(loss) and not self.course.ramp:
            raise Diverged(epoch, self.course.learning_rate)
        figure, values = self._judged(loss)
        self.told.history.append({"loss": loss, "merit": figure.merit, "stop_loss": -figure.minus_loss})
        if figure > self.told.best or self.shown.stop is None:
            self.told.best, self.told.best_epoch, self._best = figure, epoch, values
        self._keep()
        self.say({
            "stage": self.course.name, "done": epoch, "of": self.course.epochs, "loss": loss,
            self.subject.task.merit: figure.merit,
        })  # fmt: skip
        if self._is_over():
            engine.terminate()

    def _judged(self, loss: float) -> tuple[Figure, dict[str, Tensor]]:
        """How good the network is now (its averaged weights, where there are any), and the values that are."""
        own = _copied(self._held())
        if self._average:
            _put(self._held(), self._average.values)
        figure = self._figure(loss)
        values = _copied(self._held())
        _put(self._held(), own)
        return Figure(round(figure.merit, 4), figure.minus_loss), values

    def _figure(self, loss: float) -> Figure:
        """As the first of several processes finds it."""
        stop, found = self.shown.stop, Figure(-1.0, -loss)
        self.course.ranks.as_first(self.subject.network)
        self.subject.network.eval()
        if stop is not None and self.course.ranks.is_first:
            found = self.subject.task.figure(self.subject.network, stop)
        return Figure(*self.course.ranks.said_by_first([found.merit, found.minus_loss]))

    def _is_over(self) -> bool:
        if self.course.flat or self.shown.stop is None:
            return False
        return self.told.epochs >= LEAST_EPOCHS and self.told.epochs - self.told.best_epoch >= self.course.patience

    def _keep(self) -> None:
        if self._file is None or not self.course.ranks.is_first:
            return
        state: dict[str, Any] = {
            "stamp": self.course.stamp,
            "values": _copied(self._held()),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average.values if self._average else {},
            "best_values": self._best,
            "best": [self.told.best.merit, self.told.best.minus_loss],
            "best_epoch": self.told.best_epoch,
            "history": self.told.history,
        }
        save(self._file, state)

    def _held(self) -> dict[str, Tensor]:
        """What this training changes."""
        buffers = dict(self.subject.network.named_buffers()) if self.course.statistics else {}
        return {**self.trained, **buffers}


def factor(step: int, total: int) -> float:
    """Of the learning rate: up from nothing in the first 5 %, then down along a cosine to nothing."""
    warm = max(1, round(total * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def weight_of(batch: Batch) -> float:
    """What a batch's loss is a mean over: the weights of its known labels; of its samples, where labels are masks."""
    if not batch:
        return 0.0
    targets, weights = batch["targets"], batch["weight"]
    return float(((~targets.isnan()) * weights[:, None]).sum() if targets.numel() else weights.sum())


def _switch_on(network: nn.Module, groups: list[Group]) -> dict[str, nn.Parameter]:
    network.requires_grad_(requires_grad=False)
    wanted = {name for group in groups for name in group.names}
    trained = {name: parameter for name, parameter in network.named_parameters() if name in wanted}
    for parameter in trained.values():
        parameter.requires_grad = True
    return trained


def _copied(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in values.items()}


def _put(held: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, part in held.items():
            part.copy_(values[name])
