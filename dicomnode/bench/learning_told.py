"""What `dicomnode bench learn` found: figures with intervals by bootstrap of whole groups, and the targets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from dicomnode.bench.learning_arms import CHOSEN, WITHOUT_REPLAY, rows
from dicomnode.learn.values import RecipeName

Floats = NDArray[np.float64]
DRAWS, LEVEL = 2000, 95
ORDER = ("base", *(recipe.value for recipe in RecipeName), WITHOUT_REPLAY, CHOSEN)
FULL, LOCAL, LPFT = RecipeName.FULL.value, RecipeName.SCRATCH.value, RecipeName.LPFT.value
SMALL = {RecipeName.NORM.value: 0.02, RecipeName.ADAPTER.value: 0.10}
"""Small adapters, and the share of the parameters that each may have."""
Cells = Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Between:
    """A figure with its interval, whose ends are NaN where one value alone was there."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """For a table."""
        return f"{self.value:.3f}" + ("" if np.isnan(self.low) else f" ({self.low:.3f}-{self.high:.3f})")

    def signed(self) -> str:
        """For a table of differences."""
        return f"{self.value:+.3f}" + ("" if np.isnan(self.low) else f" ({self.low:+.3f} to {self.high:+.3f})")


@dataclass(frozen=True)
class Pairs:
    """One arm's answers as pairs of groups: how often a positive image is above a negative one."""

    above: Floats
    """(positive group, negative group): sum over pairs of images."""
    count: Floats
    """(positive group, negative group): pairs of images."""

    def auc(self, draw: "Draw") -> float:
        """With groups as often as they were drawn."""
        return float(draw.positive @ self.above @ draw.negative / (draw.positive @ self.count @ draw.negative))


@dataclass(frozen=True)
class Draw:
    """How often each group was drawn."""

    positive: Floats
    negative: Floats


def pairs(logits: Floats, targets: Floats, groups: NDArray[np.str_]) -> Pairs:
    """Every group holds images of one class."""
    positive, negative = (sorted(set(groups[targets == value].tolist())) for value in (1, 0))
    above, count = np.zeros((len(positive), len(negative))), np.zeros((len(positive), len(negative)))
    for i, one in enumerate(positive):
        for j, other in enumerate(negative):
            high, low = logits[groups == one][:, None], logits[groups == other][None]
            above[i, j] = (high > low).sum() + 0.5 * (high == low).sum()
            count[i, j] = high.size * low.size
    return Pairs(above, count)


def draws(found: Pairs, number: int = DRAWS) -> list[Draw]:
    """Groups drawn with replacement, each class by itself; the first draw is every group once."""
    rng = np.random.default_rng(20261121)
    p, n = found.count.shape
    drawn = [Draw(np.ones(p), np.ones(n))]
    for _ in range(number):
        drawn.append(Draw(rng.multinomial(p, [1 / p] * p).astype(float), rng.multinomial(n, [1 / n] * n).astype(float)))
    return drawn


def between(values: Sequence[float]) -> Between:
    """The first of these values, and the interval of the others."""
    low, high = np.percentile(values[1:], [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Between(values[0], float(low), float(high))


class Told:
    """Everything that a bench's folder holds."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.cells: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for row in rows(out):
            self.cells.setdefault((row["arm"], row["size"]), []).append(row)
        self.sizes = sorted({size for _, size in self.cells if size})
        self._pairs: dict[tuple[str, str], Pairs] = {}
        self._draws: dict[str, list[Draw]] = {}

    def arms(self, size: int) -> list[str]:
        """Arms with results at a size, in their order."""
        return sorted({arm for arm, own in self.cells if own == size}, key=ORDER.index)

    def seeds(self, arm: str, size: int) -> dict[int, dict[str, Any]]:
        """Results of an arm by seed; the base has the same for each."""
        if arm == "base":
            own = [row for (_, at), found in self.cells.items() if at == size for row in found]
            return {row["seed"]: self.cells["base", 0][0] for row in own}
        return {row["seed"]: row for row in self.cells.get((arm, size), [])}

    def auc(self, arm: str, size: int, where: str = "b", seeds: Sequence[int] | None = None) -> list[float]:
        """Mean over the seeds, for every draw of groups."""
        found = self.seeds(arm, size)
        each = [self._pairs_of(found[seed], where) for seed in (seeds if seeds is not None else found)]
        return [float(np.mean([one.auc(draw) for one in each])) for draw in self._draws_of(where)]

    def difference(self, one: str, other: str, size: int, where: str = "b") -> Between | None:
        """AUC of one arm less another's on the same draws of groups and the same seeds; None without a common one."""
        seeds = sorted(self.seeds(one, size).keys() & self.seeds(other, size).keys())
        if not seeds:
            return None
        return between(np.subtract(self.auc(one, size, where, seeds), self.auc(other, size, where, seeds)).tolist())

    def ratio(self, one: str, other: str, size: int) -> Between | None:
        """AUC of one arm as a share of another's."""
        seeds = sorted(self.seeds(one, size).keys() & self.seeds(other, size).keys())
        if not seeds:
            return None
        return between(np.divide(self.auc(one, size, "b", seeds), self.auc(other, size, "b", seeds)).tolist())

    def mean(self, arm: str, size: int, figure: Callable[[Floats, Floats], float]) -> float:
        """Of a figure of probabilities and targets on the test groups, over the seeds."""
        found = [self._arrays(row) for row in self.seeds(arm, size).values()]
        return float(np.mean([figure(arrays["told_b"], arrays["targets_b"]) for arrays in found]))

    def share(self, arm: str, size: int) -> float:
        """Of the parameters that an arm trains."""
        row = next(iter(self.seeds(arm, size).values()))
        return float(row["trainable"] or 0) / float(row["total"] or 1)

    def _arrays(self, row: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        with np.load(self._out / "answers" / row["answers"], allow_pickle=False) as found:
            return {name: found[name] for name in found.files}

    def _pairs_of(self, row: Mapping[str, Any], where: str) -> Pairs:
        key = (str(row["answers"]), where)
        if key not in self._pairs:
            arrays = self._arrays(row)
            self._pairs[key] = pairs(*(arrays[f"{name}_{where}"] for name in ("logits", "targets", "groups")))
        return self._pairs[key]

    def _draws_of(self, where: str) -> list[Draw]:
        if where not in self._draws:
            self._draws[where] = draws(self._pairs_of(self.cells["base", 0][0], where))
        return self._draws[where]


def brier(told: Floats, targets: Floats) -> float:
    """Mean squared distance of probabilities from the truth."""
    return float(np.mean((told - targets) ** 2))


def slope(told: Floats, targets: Floats) -> float:
    """Of logistic recalibration; 1 is right, less is too sure."""
    features = logit(np.clip(told, 1e-7, 1 - 1e-7))[:, None]
    return float(LogisticRegression(C=1e6, max_iter=1000).fit(features, targets).coef_[0, 0])


def figures_table(told: Told, size: int) -> Table:
    """One row an arm."""
    table = Table(title=f"{size} labelled images at B")
    for heading in ("arm", "trains", "seeds", "AUC at B", "AUC at A", "lost at A", "Brier", "slope"):
        table.add_column(heading)
    base = between(told.auc("base", size, "a")).value
    for arm in ("base", *told.arms(size)):
        of_a = between(told.auc(arm, size, "a"))
        calibration = (f"{told.mean(arm, size, brier):.3f}", f"{told.mean(arm, size, slope):.2f}")
        trained = (f"{told.share(arm, size):.1%}", str(len(told.seeds(arm, size))))
        of_b = str(between(told.auc(arm, size)))
        table.add_row(arm, *trained, of_b, str(of_a), f"{base - of_a.value:+.3f}", *calibration)
    return table


@dataclass(frozen=True)
class Target:
    """One target with what was found."""

    words: str
    size: int
    found: str
    reached: bool


def targets(told: Told) -> list[Target]:
    """What was to be reached, for every size that has the arms for it."""
    found: list[Target] = []
    for size in told.sizes:
        found += [*_against_local(told, size), *_against_full(told, size), *_forgetting(told, size)]
    return found


def _against_local(told: Told, size: int) -> list[Target]:
    apart, margin = told.difference(CHOSEN, LOCAL, size), 0.01 if size >= 400 else 0.0
    if apart is None:
        return []
    words = f"chosen recipe ≥ local-only{f' - {margin:g}' if margin else ''}"
    return [Target(words, size, apart.signed(), apart.value >= -margin)]


def _against_full(told: Told, size: int) -> list[Target]:
    found = {arm: told.ratio(arm, FULL, size) for arm, most in SMALL.items() if told.seeds(arm, size)}
    ratios = {arm: ratio for arm, ratio in found.items() if ratio is not None and told.share(arm, size) <= SMALL[arm]}
    if not ratios:
        return []
    best = max(ratios, key=lambda arm: ratios[arm].value)
    words = f"{best} ({told.share(best, size):.1%} of the parameters) ≥ 98 % of full's AUC"
    return [Target(words, size, str(ratios[best]), ratios[best].value >= 0.98)]


def _forgetting(told: Told, size: int) -> list[Target]:
    lost = {arm: told.difference("base", arm, size, "a") for arm in (LPFT, WITHOUT_REPLAY, FULL)}
    full = lost[FULL]
    if full is None:
        return []
    return [
        Target(f"{arm} loses at most half of what full loses at A", size, f"{one.value:.3f} of {full.value:.3f}",
               one.value <= max(full.value, 0.0) / 2)
        for arm, one in lost.items() if arm != FULL and one is not None
    ]  # fmt: skip


def targets_table(found: Sequence[Target]) -> Table:
    """One row a target and size."""
    table = Table(title="targets")
    for heading in ("images", "target", "found (95 % by groups)", ""):
        table.add_column(heading)
    for one in found:
        table.add_row(str(one.size), one.words, one.found, "reached" if one.reached else "MISSED")
    return table
