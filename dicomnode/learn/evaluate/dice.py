"""Dice of a segmentation: by case and segment, averaged by patient."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def comparable(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Dice of two versions on the same items, (item,) each, where at least one of them says something.

    NaN is "neither the label nor the answer has the segment", which is right: beside a version that drew the segment
    where there is none (Dice 0) it counts 1. An item on which both are right in this way says nothing of either.
    """
    silent = np.isnan(one) & np.isnan(other)
    full = np.nan_to_num(np.stack([one, other]), nan=1.0)
    full[:, silent] = np.nan
    return full[0], full[1]


def patient_means(values: Floats, clusters: Ints) -> tuple[Floats, Ints]:
    """Mean of each patient's items, and the patients' numbers; those without a figure are left out."""
    told = ~np.isnan(values)
    patients, which = np.unique(clusters[told], return_inverse=True)
    sums, counts = np.bincount(which, weights=values[told]), np.bincount(which)
    return sums / np.maximum(counts, 1), patients
