"""Calibration: slope and intercept of logistic recalibration, Brier score, ECE, and the points of a reliability curve.

Source: Cox, Biometrika 1958 (recalibration); Van Calster et al., BMC Medicine 2019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri
from scipy.stats import beta

from dicomnode.learn.evaluate.clusters import patient_numbers
from dicomnode.learn.values import Answers, Estimate

Floats = NDArray[np.float64]
BINS = 15
ECE_FROM = 1000
"""Patients from which ECE is judged: a perfect model scores 0.07 at 240 by chance alone."""
EDGE = 1e-7
"""Probabilities are held off 0 and 1 by so much."""
STEPS = 50


@dataclass(frozen=True)
class Recalibration:
    """What would put the probabilities right: logit(true) = intercept + slope × logit(told)."""

    slope: Estimate
    """1 is right; less: too sure of itself."""
    intercept: Estimate
    """With the slope fitted; 0 is right."""
    in_the_large: Estimate
    """Intercept with the slope held at 1: above 0, findings are commoner than told."""


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin of a reliability curve."""

    told: float
    """Mean probability."""
    observed: Estimate
    """Share of positives, with the Clopper-Pearson interval."""


def column(answers: Answers, output: int) -> tuple[Floats, Floats, tuple[str, ...]]:
    """Targets, probabilities and patients of the items whose finding is known."""
    told = ~np.isnan(answers.targets[:, output])
    patients = tuple(patient for patient, kept in zip(answers.patients, told, strict=True) if kept)
    return answers.targets[told, output], answers.probabilities[told, output], patients


def recalibration(answers: Answers, output: int, *, alpha: float = 0.025) -> Recalibration | None:
    """Slope and intercept with intervals that are robust to several items of a patient.

    Returns:
        None where they cannot be told: one class, or probabilities that part the classes without an error.
    """
    targets, told, patients = column(answers, output)
    if not 0 < targets.sum() < len(targets):
        return None
    logits = logit(np.clip(told, EDGE, 1 - EDGE))
    clusters = patient_numbers(patients)
    both = _logistic(np.stack([logits, np.ones_like(logits)], axis=1), targets, np.zeros_like(logits), clusters)
    large = _logistic(np.ones((len(logits), 1)), targets, logits, clusters)
    if both is None or large is None:
        return None
    half, count = -float(ndtri(alpha)), len(set(patients))

    def interval(value: float, variance: float) -> Estimate:
        reach = half * float(np.sqrt(variance))
        return Estimate(value, value - reach, value + reach, 1 - 2 * alpha, count)

    (slope, shift), spread = both
    return Recalibration(
        interval(float(slope), spread[0, 0]), interval(float(shift), spread[1, 1]),
        interval(float(large[0][0]), large[1][0, 0]),
    )  # fmt: skip


def expected_error(answers: Answers, output: int) -> float | None:
    """Expected calibration error over 15 bins of equal mass; None with fewer than 1,000 patients.

    Each patient counts once, however many items it has.
    """
    targets, told, patients = column(answers, output)
    clusters = patient_numbers(patients) if patients else np.zeros(0, np.int64)
    if len(np.unique(clusters)) < ECE_FROM:
        return None
    weight = 1.0 / np.bincount(clusters)[clusters]
    return float(sum(abs(np.sum(weight[part] * (told[part] - targets[part]))) for part in _bins(told)) / weight.sum())


def reliability(answers: Answers, output: int, *, bins: int = 10) -> tuple[ReliabilityPoint, ...]:
    """Points of the reliability curve: bins of equal mass, at least 10 items each."""
    targets, told, _ = column(answers, output)
    count = max(1, min(bins, len(told) // 10))
    return tuple(_point(told[part], targets[part]) for part in _bins(told, count) if len(part))


def _bins(told: Floats, bins: int = BINS) -> list[NDArray[np.int64]]:
    return np.array_split(np.argsort(told, kind="stable"), bins)


def _point(told: Floats, targets: Floats) -> ReliabilityPoint:
    n, positives = len(targets), float(targets.sum())
    low = float(beta.ppf(0.025, positives, n - positives + 1)) if positives else 0.0
    high = float(beta.ppf(0.975, positives + 1, n - positives)) if positives < n else 1.0
    return ReliabilityPoint(float(told.mean()), Estimate(positives / n, low, high, 0.95, n))


def _logistic(
    features: Floats, targets: Floats, offset: Floats, clusters: NDArray[np.int64]
) -> tuple[Floats, Floats] | None:
    """Coefficients of logistic regression and their covariance by cluster (sandwich); None where it has none."""
    found = np.zeros(features.shape[1])
    for _ in range(STEPS):
        p = expit(features @ found + offset)
        information = (features * (p * (1 - p))[:, None]).T @ features
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, features.T @ (targets - p))
        found = found + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    else:
        return None
    scores = features * (targets - p)[:, None]
    summed = np.stack([np.bincount(clusters, weights=one) for one in scores.T], axis=1)
    bread, count = np.linalg.inv(information), len(np.unique(clusters))
    return found, bread @ (summed.T @ summed) @ bread * (count / max(count - 1, 1))
