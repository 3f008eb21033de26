"""Power of the planned non-inferiority test: the chance to prove of an equal candidate that it is not worse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from dicomnode.learn.evaluate.auc import placements
from dicomnode.learn.evaluate.auc import reach as auc_reach
from dicomnode.learn.evaluate.compare import Difference

Floats = NDArray[np.float64]
DRAWS = 20_000
SIZES = (100, 200, 400, 800, 1600)


def power(se: float, margin: float, reach: float) -> float:
    """Chance that a version that is truly equal has its lower bound, `reach` standard errors down, above -margin."""
    return 1.0 if se <= 0 else float(ndtr(margin / se - reach))


def joint_power(differences: Sequence[Difference], margin: float, *, seed: int) -> float:
    """Chance that a version that is truly equal passes all of several comparisons of the same patients.

    Their errors are drawn together, as the patients they share move them together.
    """
    spread = [one for one in differences if one.se > 0]
    if not spread:
        return 1.0
    if len(spread) == 1:
        return power(spread[0].se, margin, spread[0].reach)
    patients = sorted(set().union(*(one.influence for one in spread)))
    moved = np.array([[one.influence.get(patient, 0.0) for patient in patients] for one in spread])
    size = np.sqrt((moved**2).sum(axis=1, keepdims=True))
    values, vectors = np.linalg.eigh((moved / np.maximum(size, 1e-300)) @ (moved / np.maximum(size, 1e-300)).T)
    free = np.random.default_rng(seed).standard_normal((DRAWS, len(spread)))
    drawn = free @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    needed = np.array([one.reach - margin / one.se for one in spread])
    return float(np.all(drawn > needed, axis=1).mean())


def patients_needed(difference: Difference, margin: float, wanted: float) -> int:
    """About how many patients, of the same mix, would give one comparison the wanted power; 0: it has it."""
    if power(difference.se, margin, difference.reach) >= wanted or margin <= 0:
        return 0
    factor = (difference.se * (ndtri(wanted) + difference.reach) / margin) ** 2
    return int(np.ceil(difference.figure.n * factor / 10) * 10)


def binormal(areas: Floats, targets: Floats, correlation: float, rng: np.random.Generator) -> Floats:
    """Scores of versions with these true areas: (version, trial) to (version, trial, item).

    Normal in each class with equal spread; of one item the scores of two versions are correlated within its class.
    """
    apart = np.sqrt(2.0) * ndtri(areas)[..., None]
    shared = rng.standard_normal((areas.shape[1], len(targets)))
    own = rng.standard_normal((*areas.shape, len(targets)))
    return np.asarray(apart * targets + np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own)


def paired_variance(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Floats:
    """DeLong's variance of a difference of areas from two versions' placements, (...,), one item a patient."""
    above, below = one[0] - other[0], one[1] - other[1]
    return np.asarray(
        above.var(axis=-1, ddof=1) / above.shape[-1] + below.var(axis=-1, ddof=1) / below.shape[-1]
    )  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """A non-inferiority test of AUC that is planned."""

    area: float
    """AUC of both versions."""
    correlation: float
    """Of their scores within a class."""
    margin: float
    prevalence: float = 0.3
    alpha: float = 0.025
    """One-sided."""


def planned_power(test: Planned, patients: int, *, trials: int = 2000, seed: int = 0) -> float:
    """Power before there are data, by simulation of equal versions on so many patients with one item each."""
    positives = round(patients * test.prevalence)
    targets = np.r_[np.ones(positives), np.zeros(patients - positives)]
    equal = np.full((2, trials), test.area)
    scores = binormal(equal, targets, test.correlation, np.random.default_rng(seed))
    placed = [placements(one[:, :positives], one[:, positives:]) for one in scores]
    difference = placed[0][0].mean(axis=-1) - placed[1][0].mean(axis=-1)
    reach = auc_reach(test.alpha, min(positives, patients - positives))
    low = difference - reach * np.sqrt(paired_variance(placed[0], placed[1]))
    return float(np.mean(low > -test.margin))


def power_table(
    tests: Sequence[Planned], *, trials: int = 2000, seed: int = 0
) -> list[tuple[Planned, dict[int, float]]]:
    """Power of planned tests by number of patients: how large a sealed set should be."""
    return [(test, {size: planned_power(test, size, trials=trials, seed=seed) for size in SIZES}) for test in tests]
