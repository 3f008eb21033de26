"""The arms of a bench of learning: each is trained by the product's own code, and judged on items that no choice saw.

Every result is a line of results.jsonl, with its answers in a file beside it: a bench that was stopped goes on there.
"""

import copy
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import nn

from dicomnode.bench.learning_base import Base, Progress
from dicomnode.bench.learning_data import Picture
from dicomnode.learn.adapters.file import read_adapter
from dicomnode.learn.adapters.swap import Swap
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.train.choose import chosen_among
from dicomnode.learn.train.classifying import logits_of_pool, mean_auc
from dicomnode.learn.train.fit import FITS, train
from dicomnode.learn.train.fitting import Fit
from dicomnode.learn.train.fitting import Wanted as Fitted
from dicomnode.learn.train.job import Job, open_job
from dicomnode.learn.train.plain import Plain
from dicomnode.learn.train.pool import ItemPool, files
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.train.verify import ADAPTER, WEIGHTS
from dicomnode.learn.values import Item, RecipeName, Split, TrainingSet

CHOSEN, WITHOUT_REPLAY = "chosen", "lpft, no replay"


@dataclass(frozen=True)
class Arm:
    """One thing to train and to judge."""

    name: str
    size: int
    seed: int

    @property
    def recipe(self) -> RecipeName:
        """What it trains."""
        return RecipeName.LPFT if self.name == WITHOUT_REPLAY else RecipeName(self.name)


@dataclass(frozen=True)
class Ground:
    """Where arms are trained and judged."""

    out: Path
    base: Base
    labelled: Callable[[int, int], Iterable[tuple[Picture, Split]]]
    """Of a seed and a size: the images with a label there."""
    judged: Mapping[str, tuple[Item, ...]]
    """Items for judging alone, by the name that their figures get."""
    among: Callable[[Job], Sequence[RecipeName]]
    """What `chosen` may take."""
    threads: int = 1


class Arms:
    """The arms of one place while they run."""

    def __init__(self, ground: Ground, progress: Progress) -> None:
        self.ground, self.base, self.progress = ground, ground.base, progress
        self.results = ground.out / "results.jsonl"
        self.done = {(row["arm"], row["size"], row["seed"]): row for row in rows(ground.out)}
        self.rates: dict[str, float] = {}

    def judge_base(self) -> None:
        """The base as it is."""
        if ("base", 0, 0) not in self.done:
            finding = self.base.bundle.dicom.findings[0]
            told = {"calibration": [{"slope": finding.slope, "intercept": finding.intercept}]}
            self._keep(Arm("base", 0, 0), self.base.bundle.network, told)

    def choose_rates(self, recipes: Iterable[RecipeName], size: int, trials: int) -> None:
        """A learning rate for each recipe, once, on the training groups of the first seed."""
        path = self.ground.out / "rates.json"
        self.rates = json.loads(path.read_text()) if path.is_file() else {}
        for recipe in recipes:
            if recipe.value in self.rates or recipe is RecipeName.RECALIBRATE:
                continue
            self.progress(f"learning rate of {recipe}")
            told = train(self._order(recipe, size, 0, trials=trials), self._folder(f"rate-{recipe}"), _silent)
            self.rates[recipe.value] = float(told["learning_rate"])  # type: ignore[arg-type]
            path.write_text(json.dumps(self.rates, indent=1))

    def run(self, arm: Arm) -> None:
        """Train one arm and judge it, where that was not done yet."""
        if (arm.name, arm.size, arm.seed) in self.done:
            return
        self.progress(f"{arm.name}, {arm.size} images, seed {arm.seed}")
        if arm.name == CHOSEN:
            self._choose(arm)
            return
        replay = self.base.manifest_of_a if arm.name == RecipeName.LPFT else None
        order = self._order(arm.recipe, arm.size, arm.seed, rate=self.rates.get(arm.recipe.value), replay=replay)
        folder = self._folder(f"{arm.name}-{arm.size}-{arm.seed}".replace(", ", "-").replace(" ", "-"))
        told = train(order, folder, _silent)
        self._keep(arm, self._network(folder, told), told)
        shutil.rmtree(folder)

    def _choose(self, arm: Arm) -> None:
        """What inner cross-validation takes, with the rates that were chosen once; its result is that recipe's."""
        order = self._order(RecipeName.AUTO, arm.size, arm.seed)
        job = open_job(order, self._folder(f"chosen-{arm.size}-{arm.seed}"), _silent, Ranks())
        names = list(self.ground.among(job))
        choice = chosen_among(job, {name: _with_rate(name, self.rates.get(name.value)) for name in names}, names)
        own = self.done[(choice.recipe.value, arm.size, arm.seed)]
        self._append(own | {"arm": CHOSEN, "recipe": choice.recipe.value, "cv": choice.cv})

    def _order(
        self, recipe: RecipeName, size: int, seed: int, *, rate: float | None = None, trials: int = 0,
        replay: Path | None = None,
    ) -> TrainOrder:  # fmt: skip
        items = self.base.kept.items(list(self.ground.labelled(seed, size)))
        return TrainOrder(
            bundle=self.base.folder, digest=self.base.digest, device="cpu", threads=self.ground.threads,
            training_set=self.base.kept.set(items)[1], recipe=recipe, seed=seed, learning_rate=rate, trials=trials,
            replay=replay,
        )  # fmt: skip

    def _network(self, folder: Path, told: Mapping[str, Any]) -> nn.Module:
        """The candidate, made from the job's file as a version would be."""
        network = self.base.bundle.network
        if told["recipe"] == RecipeName.PLAIN:
            network = Plain(1, 1)
        if told.get("file") == WEIGHTS:
            network = network if isinstance(network, Plain) else copy.deepcopy(network)
            network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
        if told.get("file") == ADAPTER:
            network = copy.deepcopy(network)
            Swap(network).apply(read_adapter(folder / ADAPTER))
        return network.eval()

    def _keep(self, arm: Arm, network: nn.Module, told: Mapping[str, Any]) -> None:
        (calibrated,) = told["calibration"]
        row: dict[str, Any] = {"arm": arm.name, "size": arm.size, "seed": arm.seed}
        row |= {
            name: told.get(name) for name in ("learning_rate", "trainable", "total", "epochs", "wise_alpha", "seconds")
        }
        arrays: dict[str, Any] = {}
        for name, items in self.ground.judged.items():
            logits = self._logits(network, items)
            arrays[f"logits_{name}"] = logits
            arrays[f"told_{name}"] = expit(calibrated["slope"] * logits + calibrated["intercept"])
            arrays[f"targets_{name}"] = np.array([item.targets[0] for item in items])
            arrays[f"groups_{name}"] = np.array([item.patient for item in items])
        file = f"{arm.name}-{arm.size}-{arm.seed}.npz".replace(", ", "-").replace(" ", "-")
        (self.ground.out / "answers").mkdir(exist_ok=True)
        np.savez_compressed(self.ground.out / "answers" / file, allow_pickle=False, **arrays)
        auc = {name: mean_auc(arrays[f"targets_{name}"][:, None], arrays[f"logits_{name}"][:, None])
               for name in self.ground.judged}  # fmt: skip
        self._append(row | {"answers": file, "auc": auc})

    def _logits(self, network: nn.Module, items: tuple[Item, ...]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        training: TrainingSet = replace(self.base.of_a, items=items)
        return logits_of_pool(self.base.bundle, network, ItemPool(files(training, items)))[:, 0]

    def _append(self, row: dict[str, Any]) -> None:
        whole = not self.results.is_file() or self.results.read_bytes().endswith(b"\n")
        with self.results.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + json.dumps(row | {"when_s": round(time.time())}) + "\n")
        self.done[(row["arm"], row["size"], row["seed"])] = row

    def _folder(self, name: str) -> Path:
        folder = self.ground.out / "jobs" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def rows(out: Path) -> list[dict[str, Any]]:
    """The results that are there; a line that a stop cut off is left out."""
    path, found = out / "results.jsonl", []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _with_rate(name: RecipeName, rate: float | None) -> Callable[[Fitted], Fit]:
    return lambda wanted: FITS[name](replace(wanted, learning_rate=rate))


def _silent(_: dict[str, object]) -> None:
    """The bench itself says how far it is."""
