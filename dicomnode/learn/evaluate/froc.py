"""FROC of a detector: sensitivity against false positives, and its mean at seven rates (CPM).

Source: Niemeijer et al., IEEE TMI 2011 (competition performance metric); LUNA16.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per item at which the sensitivity is read."""


@dataclass(frozen=True)
class Detections:
    """All boxes of all items, best score first."""

    scores: Floats
    """(box,), falling."""
    items: NDArray[np.int64]
    """(box,) item of each box."""
    hits: NDArray[np.bool_]
    """(box,) whether it hit a lesion of its own."""
    lesions: Floats
    """(item,) true lesions."""
    ends: NDArray[np.int64]
    """Last box of each run of equal scores: a threshold cannot part them."""


def detections(hits: Sequence[Sequence[tuple[float, bool]]], lesions: Sequence[int]) -> Detections:
    """The boxes of all items, sorted."""
    rows = [(float(score), item, bool(hit)) for item, boxes in enumerate(hits) for score, hit in boxes]
    table = np.array(sorted(rows, key=lambda row: -row[0]), dtype=np.float64).reshape(-1, 3)
    scores = table[:, 0]
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1) if len(scores) else np.zeros(0, np.int64)
    truth = np.asarray(lesions, dtype=np.float64)
    return Detections(scores, table[:, 1].astype(np.int64), table[:, 2] == 1, truth, ends.astype(np.int64))


def leading(found: Detections) -> Detections:
    """The boxes down to the score with twice the false positives of the last rate: the others change no figure."""
    false = np.cumsum(~found.hits)[found.ends]
    last = int(np.searchsorted(false, 2 * RATES[-1] * len(found.lesions)))
    if last >= len(found.ends):
        return found
    kept = int(found.ends[last]) + 1
    ends = found.ends[: last + 1]
    return replace(found, scores=found.scores[:kept], items=found.items[:kept], hits=found.hits[:kept], ends=ends)


def curve(found: Detections, weights: Floats) -> tuple[Floats, Floats]:
    """False positives per item and sensitivity at each threshold, highest first, with (item,) weights."""
    taken = weights[found.items]
    false = np.cumsum(np.where(found.hits, 0.0, taken))[found.ends]
    true = np.cumsum(np.where(found.hits, taken, 0.0))[found.ends]
    return np.append(0.0, false / weights.sum()), np.append(0.0, true / (weights @ found.lesions))


def mean_sensitivity(found: Detections, weights: Floats) -> Floats:
    """Mean sensitivity at the seven rates for each row of (draw, item) weights; NaN where a draw has no lesion.

    Between thresholds it is interpolated; where a detector never reaches a rate, its last sensitivity counts.
    """
    return np.array([_mean_sensitivity(found, row) if row @ found.lesions > 0 else np.nan for row in weights])


def at_threshold(found: Detections, threshold: float) -> tuple[Floats, Floats]:
    """Lesions found and false positives of each item at a decision threshold."""
    count, kept = len(found.lesions), found.scores >= threshold
    true = np.bincount(found.items[kept & found.hits], minlength=count)
    return true.astype(np.float64), np.bincount(found.items[kept & ~found.hits], minlength=count).astype(np.float64)


def _mean_sensitivity(found: Detections, weights: Floats) -> float:
    false, true = curve(found, weights)
    last = np.append(np.flatnonzero(np.diff(false)), len(false) - 1)  # the best sensitivity at each rate
    return float(np.interp(RATES, false[last], true[last]).mean())
