"""How two windows of studies differ: the tests, and what many tests at once do to their p-values.

`before` is the frozen window that a version is compared with, `now` the last days.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, chi2_contingency, false_discovery_control, fisher_exact, ks_2samp

Numbers = NDArray[np.float64]

BINS = 10
"""Of the population stability index: tenths of the frozen window."""
RARE = 5.0
"""Values that are expected less often than this in a window are counted together."""
PERMUTATIONS = 4999
MOST = 500
"""Newest images of each window that the embedding test takes."""
RETOLD = 200
"""Permutations at a time, for memory."""
ENOUGH = 50
"""So many permutations above the figure, and the p-value is known well enough (Besag and Clifford 1991)."""


@dataclass(frozen=True)
class Figure:
    """One figure of one look."""

    name: str
    value: float | None
    """A distance, an index or a rate now; None where it was not judged."""
    p: float | None
    """After correction, once `corrected` has seen it."""
    studies: int
    """Of the last days, that it rests on."""
    words: str
    least: float = 0.0
    """The value must also reach this to alarm."""


def categories(before: Sequence[str], now: Sequence[str]) -> tuple[float, float]:
    """Cramér's V and p of the chi-square test; what is rare is counted together, so that its approximation holds."""
    counts = [Counter(before), Counter(now)]
    share = min(len(before), len(now)) / (len(before) + len(now))
    common = [word for word in counts[0] | counts[1] if (counts[0][word] + counts[1][word]) * share >= RARE]
    rest = [sum(n for word, n in one.items() if word not in common) for one in counts]
    table = np.array([[one[word] for word in common] + [other] for one, other in zip(counts, rest, strict=True)])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2:
        return 0.0, 1.0
    found = chi2_contingency(table, correction=False)
    return float(np.sqrt(found.statistic / table.sum())), float(found.pvalue)


def distribution(before: Numbers, now: Numbers) -> tuple[float, float]:
    """Largest distance of the two cumulative distributions, and p of the Kolmogorov-Smirnov test."""
    found = ks_2samp(before, now, method="asymp")
    return float(found.statistic), float(found.pvalue)


def stability(before: Numbers, now: Numbers) -> tuple[float, float]:
    """Population stability index over tenths of the frozen window, and its p: of few studies chance makes it large.

    Under no change it is distributed as (1/n + 1/m) times chi-square with one degree fewer than bins.
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    old = np.bincount(np.searchsorted(edges, before, side="left"), minlength=len(edges) + 1) + 0.5
    new = np.bincount(np.searchsorted(edges, now, side="left"), minlength=len(edges) + 1) + 0.5
    p, q = old / old.sum(), new / new.sum()
    index = float(np.sum((q - p) * np.log(q / p)))
    return index, float(chi2.sf(index / (1 / len(before) + 1 / len(now)), max(1, len(edges))))


def rate(before: Sequence[bool], now: Sequence[bool]) -> tuple[float, float]:
    """The rate now, and p of Fisher's exact test."""
    table = [[sum(one), len(one) - sum(one)] for one in (before, now)]
    return sum(now) / len(now), float(fisher_exact(table).pvalue)


def discrepancy(before: Numbers, now: Numbers, seed: int, permutations: int = PERMUTATIONS) -> tuple[float, float]:
    """Squared maximum mean discrepancy of embeddings (image, number), and p by permutation.

    Each number is counted in units of its spread over both windows; the kernel is Gaussian, its width the median
    distance (Gretton et al. 2012).
    """
    old, new = before[-MOST:], now[-MOST:]
    both = np.concatenate([old, new])  # of both, or the permutations would not be alike
    centre, spread = both.mean(0), both.std(0)
    scaled = (both - centre) / np.where(spread > 0, spread, 1.0)
    scaled = np.clip(scaled, -20.0, 20.0)
    squares = np.square(scaled).sum(1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * scaled @ scaled.T, 0.0)
    width = float(np.median(distances[np.triu_indices(len(scaled), 1)])) or 1.0
    kernel = np.exp(-distances / width)
    np.fill_diagonal(kernel, 0.0)
    found = _discrepancies(kernel, np.arange(len(scaled))[None] < len(old))[0]
    random, larger, done = np.random.default_rng(seed), 0, 0
    while done < permutations and larger < ENOUGH:
        orders = random.random((min(RETOLD, permutations - done), len(scaled))).argsort(1)
        larger += int((_discrepancies(kernel, orders < len(old)) >= found).sum())
        done += len(orders)
    return float(found), (larger + 1) / (done + 1)


def corrected(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """The figures with their p-values after Benjamini and Hochberg."""
    judged = [figure.p for figure in figures if figure.p is not None]
    adjusted = iter(false_discovery_control(judged) if judged else ())
    return tuple(
        figure
        if figure.p is None
        else Figure(figure.name, figure.value, float(next(adjusted)), figure.studies, figure.words, figure.least)
        for figure in figures
    )


def alarms(figure: Figure, alarm_p: float) -> bool:
    """Whether a corrected figure is one that a person must look at."""
    return figure.p is not None and figure.p < alarm_p and (figure.value or 0.0) >= figure.least


def _discrepancies(kernel: Numbers, is_old: NDArray[np.bool_]) -> Numbers:
    """(split,): unbiased, of splits (split, image)."""
    first = is_old.astype(np.float64)
    second = 1.0 - first
    n, m = first.sum(1), second.sum(1)
    to_first, to_second = first @ kernel, second @ kernel
    within = (first * to_first).sum(1) / (n * (n - 1)) + (second * to_second).sum(1) / (m * (m - 1))
    return np.asarray(within - 2 * (first * to_second).sum(1) / (n * m))
