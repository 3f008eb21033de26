"""Which recipe, and with which learning rate: by inner cross-validation alone.

The rate: a range test names the first, then at most eight trials (seeded TPE) inside the recipe's bracket, each judged
on the held-out part of the first fold. The recipe: each allowed one with its rate on all folds; of those that are as
good as the best (within one standard error of the difference, or 0.005) the smallest change is taken.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna

from dicomnode.learn.train.counting import ladder
from dicomnode.learn.train.fitting import Fit, Wanted
from dicomnode.learn.train.folds import Fold, folds
from dicomnode.learn.train.job import Job
from dicomnode.learn.train.memory import Memory
from dicomnode.learn.train.pool import ItemPool, files
from dicomnode.learn.train.rates import range_test
from dicomnode.learn.train.recipes import LADDER, RECIPES
from dicomnode.learn.train.task import task_of
from dicomnode.learn.values import RecipeName

AS_GOOD = 0.005
NEEDS_NO_RATE = (RecipeName.RECALIBRATE, RecipeName.PLAIN)
Fits = Mapping[RecipeName, Callable[[Wanted], Fit]]


@dataclass(frozen=True)
class Chosen:
    """A recipe with its rate, and how it was chosen."""

    recipe: RecipeName
    learning_rate: float | None
    trials: list[dict[str, Any]] = field(default_factory=list)
    cv: dict[str, dict[str, Any]] = field(default_factory=dict)


def chosen(job: Job, fits: Fits) -> Chosen:
    """The order's recipe, or of the allowed ones the best; with a rate.

    Raises:
        TooFew: the labels allow no recipe.
    """
    if job.order.recipe is RecipeName.AUTO:
        return chosen_among(job, fits, ladder(job))
    search = _Search(job, fits)
    return Chosen(job.order.recipe, search.rate(job.order.recipe), search.trials)


def chosen_among(job: Job, fits: Fits, names: Sequence[RecipeName]) -> Chosen:
    """Of these recipes the one that inner cross-validation takes."""
    search = _Search(job, fits)
    merits = {name: search.merits(name) for name in names}
    best = smallest_of_the_best(merits)
    cv = {name.value: search.told(name, found) for name, found in merits.items()}
    return Chosen(best, search.rate(best), search.trials, cv)


def smallest_of_the_best(merits: Mapping[RecipeName, list[float]]) -> RecipeName:
    """The smallest change whose merit on the folds is as good as the best's."""
    best = max(merits, key=lambda name: (statistics.fmean(merits[name]), -LADDER.index(name)))
    as_good = [name for name, found in merits.items() if _is_as_good(found, merits[best])]
    return min(as_good, key=LADDER.index)


def _is_as_good(found: list[float], best: list[float]) -> bool:
    apart = [theirs - ours for ours, theirs in zip(found, best, strict=True)]
    return statistics.fmean(apart) <= max(AS_GOOD, standard_error(apart))


def standard_error(found: list[float]) -> float:
    """Of the mean."""
    return statistics.stdev(found) / math.sqrt(len(found)) if len(found) > 1 else 0.0


class _Search:
    """What one job tries."""

    def __init__(self, job: Job, fits: Fits) -> None:
        self.job, self.fits = job, fits
        self.trials: list[dict[str, Any]] = []
        self._memory = Memory(job.folder, job.stamp, writes=job.ranks.is_first)
        self._folds: list[Fold] | None = None
        self._rates: dict[RecipeName, float | None] = {}

    def rate(self, name: RecipeName) -> float | None:
        """The best learning rate found; None: the recipe's own."""
        if self.job.order.learning_rate or not self.job.order.trials or name in NEEDS_NO_RATE:
            return self.job.order.learning_rate
        if name not in self._rates:
            self._rates[name] = self._searched(name)
        return self._rates[name]

    def merits(self, name: RecipeName) -> list[float]:
        """On the held-out part of each fold."""
        rate = self.rate(name)
        return [self._merit(name, rate, n) for n in range(len(self.folds))]

    def told(self, name: RecipeName, merits: list[float]) -> dict[str, Any]:
        """For the record of the candidate."""
        return {
            "folds": merits, "mean": statistics.fmean(merits), "se": standard_error(merits),
            "learning_rate": self.rate(name) or RECIPES[name].learning_rate,
        }  # fmt: skip

    @property
    def folds(self) -> list[Fold]:
        """Of this job."""
        if self._folds is None:
            self._folds = folds(self.job)
        return self._folds

    def _searched(self, name: RecipeName) -> float:
        recipe = RECIPES[name]
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.job.order.seed))
        first = self._memory.remembered(
            f"{name}: range test", lambda: range_test(self._wanted(name, None, 0), self.fits[name])
        )
        study.enqueue_trial({"learning_rate": min(max(first, recipe.lowest), recipe.highest)})

        def objective(trial: optuna.Trial) -> float:
            rate = trial.suggest_float("learning_rate", recipe.lowest, recipe.highest, log=True)
            self.job.say({"stage": f"{name} trial", "done": trial.number, "of": self.job.order.trials})
            merit = self._merit(name, rate, 0)
            self.trials.append({"recipe": name.value, "learning_rate": rate, "merit": merit})
            return merit

        study.optimize(objective, n_trials=self.job.order.trials)
        return float(study.best_params["learning_rate"])

    def _merit(self, name: RecipeName, rate: float | None, fold: int) -> float:
        return self._memory.remembered(f"{name} {rate} {fold}", lambda: self._worked_out(name, rate, fold))

    def _worked_out(self, name: RecipeName, rate: float | None, fold: int) -> float:
        self.job.say({"stage": f"{name} fold", "done": fold, "of": len(self.folds)})
        wanted = self._wanted(name, rate, fold)
        network = self.fits[name](wanted).network
        pool = ItemPool(files(self.job.training, self.folds[fold].held_out))
        merit = task_of(self.job.bundle, pool).figure(network, pool).merit
        return self.job.ranks.said_by_first([merit])[0]

    def _wanted(self, name: RecipeName, rate: float | None, fold: int) -> Wanted:
        """A fit on a fold: without checkpoints, and without a word of its epochs."""
        whole, parts = self.job.wanted(name, learning_rate=rate), self.folds[fold]
        return replace(whole, train=parts.train, stop=parts.stop, folder=None, say=_silent)


def _silent(_: dict[str, object]) -> None:
    """The search itself says how far it is."""
