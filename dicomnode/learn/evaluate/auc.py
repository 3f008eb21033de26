"""Area under the ROC curve, and the covariance of several versions' areas on the same items.

A patient with several items is one cluster. With one item a patient the covariance is DeLong's; with more it is
Obuchowski's, which is DeLong's where every cluster has one item.

Source: DeLong, DeLong, Clarke-Pearson, Biometrics 1988; Sun, Xu, IEEE SPL 2014 (midranks); Obuchowski, Biometrics 1997.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri
from scipy.stats import rankdata
from scipy.stats import t as student

from dicomnode.learn.values import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Areas:
    """Areas of several versions on the same items."""

    values: Floats
    """(version,)."""
    covariance: Floats
    """(version, version)."""
    influence: Floats
    """(cluster, version): how much each patient moves each area; its columns' correlation is that of the areas."""
    positives: int
    """Patients with a positive item."""
    negatives: int
    """Patients with a negative item."""
    patients: int

    def difference_se(self, one: int, other: int) -> float:
        """Standard error of one version's area less another's."""
        between = self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other]
        return float(np.sqrt(max(between, 0.0)))


def placements(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Where each score lies among those of the other class, by midranks.

    Args:
        positive: (..., m) scores of positive items.
        negative: (..., n) scores of negative items.

    Returns:
        (..., m) share of negatives below each positive, and (..., n) share of positives above each negative; a tie
        counts half. The mean of either is the area.
    """
    m, n = positive.shape[-1], negative.shape[-1]
    ranks = rankdata(np.concatenate([positive, negative], axis=-1), axis=-1)
    above = (ranks[..., :m] - rankdata(positive, axis=-1)) / n
    below = 1.0 - (ranks[..., m:] - rankdata(negative, axis=-1)) / m
    return above, below


def areas(targets: Floats, scores: Floats, clusters: Ints) -> Areas | None:
    """Areas of several versions and their covariance, by patient.

    Args:
        targets: (item,) 1 or 0.
        scores: (version, item); ranks alone matter.
        clusters: (item,) number of the patient, from 0.

    Returns:
        None where one of the classes has fewer than two patients: no interval can be told.
    """
    positive, negative = targets == 1, targets == 0
    with_positive, with_negative = np.unique(clusters[positive]), np.unique(clusters[negative])
    if min(len(with_positive), len(with_negative)) < 2:
        return None
    above, below = placements(scores[:, positive], scores[:, negative])
    values = above.mean(axis=1)
    count = int(clusters.max()) + 1
    a = _sums(above - values[:, None], clusters[positive], count) / positive.sum()
    b = _sums(below - values[:, None], clusters[negative], count) / negative.sum()
    few_a, few_b, few = (_unbiased(n) for n in (len(with_positive), len(with_negative), len(np.unique(clusters))))
    covariance = few_a * a.T @ a + few_b * b.T @ b + few * (a.T @ b + b.T @ a)
    influence = a + b
    return Areas(
        values, covariance, influence, len(with_positive), len(with_negative), len(np.unique(clusters))
    )  # fmt: skip


def area_estimate(found: Areas, version: int, *, alpha: float = 0.025) -> Estimate:
    """One version's area with its two-sided interval, on the logit scale so that it stays between 0 and 1.

    An area of exactly 1 or 0 has no variance of its own: its bound is then that of a proportion without an exception
    among the patients of the smaller class.
    """
    value, fewest = float(found.values[version]), min(found.positives, found.negatives)
    if not 0.0 < value < 1.0:
        bound = alpha ** (1.0 / fewest)
        low, high = (bound, 1.0) if value == 1.0 else (0.0, 1.0 - bound)
    else:
        half = -ndtri(alpha) * np.sqrt(max(found.covariance[version, version], 0.0)) / (value * (1 - value))
        low, high = expit(logit(value) - half), expit(logit(value) + half)
    return Estimate(value, float(low), float(high), 1 - 2 * alpha, found.patients)


def reach(alpha: float, fewest: int) -> float:
    """Standard errors from a difference of areas to its bound: Student's t with the patients of the smaller class.

    The normal quantile lets 4 % pass where 2.5 % are meant at 60 positives, and five times too many at a late look.
    """
    return -float(student.ppf(alpha, max(fewest - 1, 1)))


def same_order(one: Floats, other: Floats) -> bool:
    """Whether two versions rank all items alike: they then have one ROC curve, whatever the items are."""
    return bool(np.array_equal(rankdata(one), rankdata(other)))


def _sums(values: Floats, clusters: Ints, count: int) -> Floats:
    """(cluster, version) sums over the items of each cluster."""
    return np.stack([np.bincount(clusters, weights=row, minlength=count) for row in values], axis=1)


def _unbiased(count: int) -> float:
    return count / (count - 1)
