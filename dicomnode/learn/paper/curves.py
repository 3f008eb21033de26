"""ROC, precision-recall and FROC curves with bands over resampled patients, and proportions with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicomnode.learn.evaluate import bootstrap, froc
from dicomnode.learn.evaluate.calibration import column
from dicomnode.learn.evaluate.clusters import patient_numbers
from dicomnode.learn.evaluate.proportions import proportion
from dicomnode.learn.values import Answers, Estimate

Floats = NDArray[np.float64]
GRID = np.linspace(0.0, 1.0, 101)
RATES = np.geomspace(0.125, 8.0, 49)
DRAWS = 400
SEED = 20261122


@dataclass(frozen=True)
class Curve:
    """A curve, and its 95 % band over resampled patients."""

    x: Floats
    y: Floats
    grid: Floats
    low: Floats
    high: Floats
    area: Estimate | None = None
    """Of a precision-recall curve: average precision."""


@dataclass(frozen=True)
class Point:
    """What a decision threshold gives."""

    threshold: float
    counts: tuple[int, int, int, int]
    """Items: true positive, false negative, false positive, true negative."""
    sensitivity: Estimate | None
    specificity: Estimate | None
    ppv: Estimate | None
    npv: Estimate | None


def roc(answers: Answers, output: int) -> Curve | None:
    """Sensitivity against 1 - specificity; None with one class only."""
    sums = _Sums.of(answers, output)
    if sums is None:
        return None
    tp, fp = sums.whole()
    drawn = np.array([np.interp(GRID, f / f[-1], t / t[-1]) for t, f in sums.drawn()])
    low, high = _band(drawn, len(GRID))
    return Curve(fp / fp[-1], tp / tp[-1], GRID, low, high)


def precision_recall(answers: Answers, output: int) -> Curve | None:
    """Positive predictive value against sensitivity; None with one class only."""
    sums = _Sums.of(answers, output)
    if sums is None:
        return None
    tp, fp = sums.whole()
    recall, precision = tp[1:] / tp[-1], tp[1:] / (tp[1:] + fp[1:])
    rows, means = [], []
    for t, f in sums.drawn():
        r, p = t[1:] / t[-1], t[1:] / np.maximum(t[1:] + f[1:], 1e-9)
        rows.append(p[np.minimum(np.searchsorted(r, GRID - 1e-12), len(p) - 1)])
        means.append(_average(r, p))
    low, high = _band(np.array(rows), len(GRID))
    bounds = np.quantile(means, [0.025, 0.975]) if means else (np.nan, np.nan)
    area = Estimate(_average(recall, precision), float(bounds[0]), float(bounds[1]), 0.95, sums.patients)
    return Curve(recall, precision, GRID, low, high, area)


def free_response(answers: Answers) -> Curve | None:
    """Sensitivity against false positives an item; None without a lesion."""
    found = froc.detections(answers.hits, answers.lesions)
    if not found.lesions.sum():
        return None
    x, y = froc.curve(found, np.ones(len(found.lesions)))
    numbers = patient_numbers(answers.patients)
    strata = (np.bincount(numbers, weights=found.lesions) > 0).astype(np.int64)
    rows = []
    for taken in bootstrap.weights(strata, DRAWS, np.random.default_rng(SEED)):
        for weights in taken[:, numbers]:
            false, true = froc.curve(found, weights)
            last = np.append(np.flatnonzero(np.diff(false)), len(false) - 1)
            rows.append(np.interp(RATES, false[last], true[last]))
    low, high = _band(np.array(rows), len(RATES))
    return Curve(x, y, RATES, low, high)


def at_threshold(answers: Answers, output: int, threshold: float) -> Point:
    """The four counts of items at a threshold, and the four proportions by patient."""
    targets, told, patients = column(answers, output)
    truth, said = targets == 1, told >= threshold
    numbers = patient_numbers(patients) if patients else np.zeros(0, np.int64)

    def share(right: NDArray[np.bool_], rows: NDArray[np.bool_]) -> Estimate | None:
        return proportion(right[rows].astype(np.float64), numbers[rows])

    tp, fn, fp, tn = (int(np.sum(cell)) for cell in (truth & said, truth & ~said, ~truth & said, ~truth & ~said))
    return Point(
        threshold, (tp, fn, fp, tn),
        share(said, truth), share(~said, ~truth), share(truth, said), share(~truth, ~said),
    )  # fmt: skip


@dataclass(frozen=True)
class _Sums:
    """Cumulative true and false positives from the highest score down, with ties as one step."""

    truth: Floats
    numbers: NDArray[np.int64]
    ends: NDArray[np.int64]
    strata: NDArray[np.int64]

    @classmethod
    def of(cls, answers: Answers, output: int) -> "_Sums | None":
        targets, told, names = column(answers, output)
        if not 0 < targets.sum() < len(targets):
            return None
        order = np.argsort(-told, kind="stable")
        numbers = patient_numbers(names)
        ends = np.append(np.flatnonzero(np.diff(told[order])), len(told) - 1)
        has = [np.bincount(numbers[targets == one], minlength=int(numbers.max()) + 1) > 0 for one in (0, 1)]
        return cls(targets[order], numbers[order], ends, has[0] + 2 * has[1].astype(np.int64))

    @property
    def patients(self) -> int:
        return len(self.strata)

    def whole(self) -> tuple[Floats, Floats]:
        return self._sums(np.ones((1, len(self.truth))))[0]

    def drawn(self) -> list[tuple[Floats, Floats]]:
        """The same for each draw of patients."""
        taken = bootstrap.weights(self.strata, DRAWS, np.random.default_rng(SEED))
        rows = [row for chunk in taken for row in self._sums(chunk[:, self.numbers])]
        return [(t, f) for t, f in rows if t[-1] > 0 and f[-1] > 0]

    def _sums(self, weights: Floats) -> list[tuple[Floats, Floats]]:
        true = np.cumsum(weights * self.truth, axis=1)[:, self.ends]
        false = np.cumsum(weights * (1 - self.truth), axis=1)[:, self.ends]
        return [(np.append(0.0, t), np.append(0.0, f)) for t, f in zip(true, false, strict=True)]


def _average(recall: Floats, precision: Floats) -> float:
    return float(np.sum(np.diff(np.append(0.0, recall)) * precision))


def _band(drawn: Sequence[Floats] | Floats, size: int) -> tuple[Floats, Floats]:
    if len(drawn) < 2:
        return np.full(size, np.nan), np.full(size, np.nan)
    low, high = np.quantile(np.asarray(drawn), [0.025, 0.975], axis=0)
    return low, high
