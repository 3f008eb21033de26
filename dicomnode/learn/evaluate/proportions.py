"""Proportions over patients with intervals that hold for few: Wilson, and Newcombe's for pairs.

A patient with several items counts once, with the mean of its items: as many as are surely independent.

Source: Newcombe, Statistics in Medicine 1998, 17:873 (Wilson) and 17:2635 (paired, method 10).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dicomnode.learn.evaluate.dice import patient_means
from dicomnode.learn.values import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Shares of patients that two versions got right, and their difference."""

    one: Estimate
    other: Estimate
    difference: Estimate


def proportion(right: Floats, clusters: Ints, *, alpha: float = 0.025) -> Estimate | None:
    """Share of items that are right, by patient, with Wilson's interval; None without items.

    Args:
        right: (item,) 1 or 0; NaN items are left out.
        clusters: (item,) number of the patient.
        alpha: of each side.
    """
    means, patients = patient_means(right, clusters)
    if not len(patients):
        return None
    value = float(means.mean())
    low, high = _wilson(value, len(patients), alpha)
    return Estimate(value, low, high, 1 - 2 * alpha, len(patients))


def paired(one: Floats, other: Floats, clusters: Ints, *, alpha: float = 0.025) -> Pair | None:
    """Two versions' shares on the same items, and the difference with Newcombe's paired interval, by patient."""
    mine, theirs = (proportion(right, clusters, alpha=alpha) for right in (one, other))
    if mine is None or theirs is None:
        return None
    difference, correlation = mine.value - theirs.value, _correlation(one, other, clusters)

    def reach(down: float, up: float) -> float:
        return float(np.sqrt(max(down**2 + up**2 - 2 * correlation * down * up, 0.0)))

    low = difference - reach(mine.value - mine.low, theirs.high - theirs.value)
    high = difference + reach(mine.high - mine.value, theirs.value - theirs.low)
    return Pair(mine, theirs, Estimate(difference, low, high, 1 - 2 * alpha, mine.n))


def _wilson(value: float, count: int, alpha: float) -> tuple[float, float]:
    z2 = float(ndtri(alpha)) ** 2
    middle = (value + z2 / (2 * count)) / (1 + z2 / count)
    reach = np.sqrt(value * (1 - value) * z2 / count + z2**2 / (4 * count**2)) / (1 + z2 / count)
    return max(float(middle - reach), 0.0), min(float(middle + reach), 1.0)


def _correlation(one: Floats, other: Floats, clusters: Ints) -> float:
    """Newcombe's phi of the four-fold table of patients: 0 where a margin is empty, corrected towards 0 if positive."""
    (a, _), (b, _) = patient_means(one, clusters), patient_means(other, clusters)
    both, neither = float(a @ b), float((1 - a) @ (1 - b))
    first, second = float(a @ (1 - b)), float((1 - a) @ b)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if margins <= 0:
        return 0.0
    apart, half = both * neither - first * second, len(a) / 2
    corrected = max(apart - half, 0.0) if apart > 0 else apart
    return corrected / float(np.sqrt(margins))
