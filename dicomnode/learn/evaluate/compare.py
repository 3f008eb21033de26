"""Two versions on the same items: the difference of a figure, with its interval by patient."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dicomnode.learn.evaluate import auc, bootstrap, dice, froc
from dicomnode.learn.evaluate.clusters import patient_numbers
from dicomnode.learn.values import Answers, Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DELONG_FROM = 50
"""Patients of each class from which DeLong's interval holds; with fewer the bootstrap's is used."""


class Figure(StrEnum):
    """What is compared; for each of them more is better."""

    AUC = "auc"
    DICE = "dice"
    FROC = "froc"
    """Mean sensitivity at 1/8 to 8 false positives per item."""
    BRIER = "brier"
    """Compared with its sign turned: a positive difference is a smaller error."""


KIND_FIGURE = {"classification": Figure.AUC, "segmentation": Figure.DICE, "detection": Figure.FROC}
NAMES = {Figure.AUC: "AUC", Figure.DICE: "Dice", Figure.FROC: "mean sensitivity (FROC)", Figure.BRIER: "Brier score"}


@dataclass(frozen=True)
class Difference:
    """One version less another."""

    one: float
    other: float
    figure: Estimate
    """Of the difference; its level is two-sided, so its lower bound is one-sided at half of what is left."""
    se: float
    influence: dict[str, float]
    """Of each patient."""
    positives: int
    negatives: int
    """Patients with the finding and without; of a segmentation: patients, and 0."""
    method: str
    reach: float
    """Standard errors from the difference to its bound."""


def outputs(answers: Answers, figure: Figure) -> int:
    """How many outputs have a figure of their own."""
    if figure is Figure.FROC:
        return 1
    return int((answers.dice if figure is Figure.DICE else answers.targets).shape[1])


def compare(
    figure: Figure, one: Answers, other: Answers, output: int, *, alpha: float = 0.025, seed: int = 0
) -> Difference | None:
    """A figure's difference between two versions on the same items, more being better.

    Args:
        figure: what is compared.
        one: a version's answers.
        other: another version's answers, in the same order.
        output: finding or segment, from 0.
        alpha: of each side of the interval.
        seed: of the bootstrap.

    Returns:
        None where it cannot be told: fewer than two patients of a class.
    """
    return _COMPARED[figure](one, other, output, alpha, seed)


def estimate(figure: Figure, answers: Answers, output: int, *, alpha: float = 0.025, seed: int = 0) -> Estimate | None:
    """One version's figure with its interval; of the Brier score itself, where less is better."""
    if figure is Figure.AUC:
        found = _areas(answers, answers, output)
        return found and auc.area_estimate(found[0], 0, alpha=alpha)
    statistic = _Mean.of(figure, answers, None, output) if figure is not Figure.FROC else _Froc(answers, None)
    if len(statistic.patients) < 2:
        return None
    found_interval = bootstrap.bca(statistic, statistic.strata, alpha=alpha, seed=seed)
    sign = -1 if figure is Figure.BRIER else 1
    low, high = sorted((sign * found_interval.low, sign * found_interval.high))
    return Estimate(sign * found_interval.value, low, high, 1 - 2 * alpha, len(statistic.patients))


def _areas(one: Answers, other: Answers, output: int) -> tuple[auc.Areas, Floats, Floats, Ints, list[str]] | None:
    told = ~np.isnan(one.targets[:, output])
    targets = one.targets[told, output]
    scores = np.stack([one.probabilities[told, output], other.probabilities[told, output]])
    names = [patient for patient, kept in zip(one.patients, told, strict=True) if kept]
    numbers = patient_numbers(names) if names else np.zeros(0, np.int64)
    found = auc.areas(targets, scores, numbers) if names else None
    return None if found is None else (found, targets, scores, numbers, sorted(set(names)))


def _auc(one: Answers, other: Answers, output: int, alpha: float, seed: int) -> Difference | None:
    told = _areas(one, other, output)
    if told is None:
        return None
    found, targets, scores, numbers, names = told
    if min(found.positives, found.negatives) >= DELONG_FROM:
        interval, method = _delong(found, scores, alpha), "DeLong, by patient"
    else:
        statistic = _area_statistic(targets, scores, numbers)
        interval = bootstrap.bca(statistic, _strata(targets, numbers), alpha=alpha, seed=seed)
        interval, method = _not_too_sure(interval, found, scores, alpha), "BCa bootstrap of patients"
    figure = Estimate(interval.value, interval.low, interval.high, 1 - 2 * alpha, found.patients)
    influence = dict(zip(names, interval.influence.tolist(), strict=True))
    a, b = (float(value) for value in found.values)
    reach = auc.reach(alpha, min(found.positives, found.negatives))
    return Difference(a, b, figure, interval.se, influence, found.positives, found.negatives, method, reach)


def _delong(found: auc.Areas, scores: Floats, alpha: float) -> bootstrap.Interval:
    value, se = float(found.values[0] - found.values[1]), found.difference_se(0, 1)
    influence = found.influence[:, 0] - found.influence[:, 1]
    half = auc.reach(alpha, min(found.positives, found.negatives)) * se
    return _not_too_sure(bootstrap.Interval(value, value - half, value + half, se, influence), found, scores, alpha)


def _not_too_sure(
    interval: bootstrap.Interval, found: auc.Areas, scores: Floats, alpha: float
) -> bootstrap.Interval:  # fmt: skip
    """The interval, but no certainty from a few patients on whom both versions happen to be without a fault.

    No discordance among n patients leaves room for about -ln(alpha)/n of it. Versions that rank all alike are equal.
    """
    if interval.se > 0 or auc.same_order(scores[0], scores[1]):
        return interval
    fewest = min(found.positives, found.negatives)
    room = 1.0 - alpha ** (1.0 / fewest)
    low, high = interval.value - room, interval.value + room
    return bootstrap.Interval(interval.value, low, high, 1.0 / fewest, interval.influence)


def _area_statistic(targets: Floats, scores: Floats, numbers: Ints) -> bootstrap.Statistic:
    positive, negative = targets == 1, targets == 0
    p, n = numbers[positive], numbers[negative]
    above = [np.sign(row[positive][:, None] - row[negative][None, :]) / 2 for row in scores]
    kernel = above[0] - above[1]

    def statistic(weights: Floats) -> Floats:
        wp, wn = weights[:, p], weights[:, n]
        with np.errstate(invalid="ignore"):
            return np.asarray(((wp @ kernel) * wn).sum(1) / (wp.sum(1) * wn.sum(1)))

    return statistic


def _strata(targets: Floats, numbers: Ints) -> Ints:
    """Patients with positives only, with negatives only, with both."""
    has = [np.bincount(numbers[targets == one], minlength=int(numbers.max()) + 1) > 0 for one in (0, 1)]
    return np.asarray(has[0] + 2 * has[1].astype(np.int64))


class _Mean:
    """A mean over patients, of each patient's mean, as a statistic of weights."""

    def __init__(self, values: Floats, patients: tuple[str, ...]) -> None:
        names = np.unique(np.asarray(patients))
        means, kept = dice.patient_means(values, patient_numbers(patients))
        self.means, self.patients = means, [str(names[number]) for number in kept]
        self.strata = np.zeros(len(means), np.int64)

    @classmethod
    def of(cls, figure: Figure, one: Answers, other: Answers | None, output: int) -> "_Mean":
        if figure is Figure.BRIER:
            lost = [(a.probabilities[:, output] - one.targets[:, output]) ** 2 for a in (one, other) if a is not None]
            return cls(lost[1] - lost[0] if other else -lost[0], one.patients)
        if other is None:
            return cls(one.dice[:, output], one.patients)
        first, second = dice.comparable(one.dice[:, output], other.dice[:, output])
        return cls(first - second, one.patients)

    def __call__(self, weights: Floats) -> Floats:
        return np.asarray(weights @ self.means / weights.sum(1))


class _Froc:
    """Mean sensitivity of one version, or of one less another, as a statistic of weights."""

    def __init__(self, one: Answers, other: Answers | None) -> None:
        self.patients = sorted(set(one.patients))
        self.numbers = patient_numbers(one.patients)
        self.found = [froc.leading(froc.detections(a.hits, one.lesions)) for a in (one, other) if a is not None]
        with_lesion = np.bincount(self.numbers, weights=np.asarray(one.lesions, float)) > 0
        self.strata = with_lesion.astype(np.int64)

    def __call__(self, weights: Floats) -> Floats:
        by_item = weights[:, self.numbers]
        told = [froc.mean_sensitivity(found, by_item) for found in self.found]
        return told[0] - told[1] if len(told) == 2 else told[0]


def _resampled(figure: Figure) -> Callable[[Answers, Answers, int, float, int], Difference | None]:
    def compared(one: Answers, other: Answers, output: int, alpha: float, seed: int) -> Difference | None:
        both = _Froc(one, other) if figure is Figure.FROC else _Mean.of(figure, one, other, output)
        if len(both.patients) < 2 or (isinstance(both, _Froc) and not both.strata.any()):
            return None
        found = bootstrap.bca(both, both.strata, alpha=alpha, seed=seed)
        told = Estimate(found.value, found.low, found.high, 1 - 2 * alpha, len(both.patients))
        influence = dict(zip(both.patients, found.influence.tolist(), strict=True))
        a, b = (_alone(figure, one, other, output), _alone(figure, other, one, output))
        with_it = int(both.strata.sum()) if isinstance(both, _Froc) else len(both.patients)
        without = len(both.patients) - with_it
        reach = -float(ndtri(alpha))
        return Difference(a, b, told, found.se, influence, with_it, without, "BCa bootstrap of patients", reach)

    return compared


def _alone(figure: Figure, one: Answers, other: Answers, output: int) -> float:
    if figure is Figure.FROC:
        statistic: _Froc | _Mean = _Froc(one, None)
    elif figure is Figure.DICE:
        statistic = _Mean(dice.comparable(one.dice[:, output], other.dice[:, output])[0], one.patients)
    else:
        statistic = _Mean.of(figure, one, None, output)
    value = float(statistic(np.ones((1, len(statistic.patients))))[0])
    return -value if figure is Figure.BRIER else value


_COMPARED = {
    Figure.AUC: _auc,
    Figure.DICE: _resampled(Figure.DICE),
    Figure.FROC: _resampled(Figure.FROC),
    Figure.BRIER: _resampled(Figure.BRIER),
}
