"""Probabilities that mean what they say, and thresholds: fitted on the calibration split, for every recipe.

Platt's scaling with his smoothed targets, so that a split that separates perfectly does not give an infinite slope.
The operating point is the installed bundle's: the highest threshold that keeps its sensitivity on the same images, so
that what a better model gains is specificity. Where the bundle tells nothing there, the best sum of both.

Source: Platt, Probabilistic Outputs for Support Vector Machines (1999).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from dicomnode.bundles.dicom_toml import Finding

Figures = NDArray[np.float64]
LEAST = 5
"""Images of each class; fewer cannot tell a slope."""
FLATTEST = 0.05
"""A smaller slope (or one that turns the answer round) is not believed."""
TELLS_NOTHING = 0.1
"""Sensitivity + specificity - 1 up to which an operating point is not worth keeping."""


@dataclass(frozen=True)
class Calibrated:
    """Of one finding, for dicom.toml."""

    index: int
    slope: float
    intercept: float
    threshold: float
    note: str = ""


def calibrated(finding: Finding, targets: Figures, logits: Figures, installed: Figures) -> Calibrated:
    """Slope, intercept and threshold of one finding.

    Args:
        finding: as the installed bundle has it.
        targets: 1, 0 or NaN (unknown) for each image of the calibration split.
        logits: what the candidate says of them, before calibration.
        installed: calibrated probabilities that the installed bundle gives them.
    """
    known = ~np.isnan(targets)
    targets, logits, installed = targets[known], logits[known], installed[known]
    kept = Calibrated(finding.index, finding.slope, finding.intercept, finding.threshold)
    if min((targets == 1).sum(), (targets == 0).sum()) < LEAST:
        return replace(kept, note=f"finding {finding.index}: too few images of a class to calibrate; left as it is")
    slope, intercept = platt(targets, logits)
    probabilities = expit(slope * logits + intercept)
    return Calibrated(finding.index, slope, intercept, _threshold(finding, targets, probabilities, installed))


def platt(targets: Figures, logits: Figures) -> tuple[float, float]:
    """Slope and intercept with which sigmoid(slope × logit + intercept) is a probability."""
    positives, negatives = (targets == 1).sum(), (targets == 0).sum()
    smooth = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(
        np.concatenate([logits, logits])[:, None],
        np.repeat([1, 0], len(logits)),
        sample_weight=np.concatenate([smooth, 1 - smooth]),
    )
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope >= FLATTEST:
        return slope, intercept
    rate = float(smooth.mean())
    return FLATTEST, float(np.log(rate / (1 - rate)) - FLATTEST * logits.mean())


def _threshold(finding: Finding, targets: Figures, probabilities: Figures, installed: Figures) -> float:
    wanted, specificity = _operating(targets, installed, finding.threshold)
    places = _between(probabilities)
    points = [(_operating(targets, probabilities, place), place) for place in places]
    if wanted + specificity - 1 <= TELLS_NOTHING:
        return max(points, key=lambda point: (sum(point[0]), point[1]))[1]
    return max((place for (sensitivity, _), place in points if sensitivity >= wanted), default=places[0])


def _operating(targets: Figures, probabilities: Figures, threshold: float) -> tuple[float, float]:
    """Sensitivity and specificity at a threshold."""
    said = probabilities >= threshold
    return float(said[targets == 1].mean()), float(1 - said[targets == 0].mean())


def _between(probabilities: Figures) -> list[float]:
    """Thresholds half-way between neighbouring probabilities, the lowest first; all inside (0, 1)."""
    ordered = np.unique(np.concatenate([[0.0], probabilities, [1.0]]))
    return [float(np.clip(place, 1e-6, 1 - 1e-6)) for place in (ordered[:-1] + ordered[1:]) / 2]
