"""Probabilities that mean what they say, at the installed bundle's operating point."""

import numpy as np
import pytest
from scipy.special import expit

from dicomnode.bundles.dicom_toml import Code, Finding
from dicomnode.learn.train.recalibrate import calibrated, platt

FINDING = Finding(index=3, concept=Code(value="x", scheme="99TEST", meaning="x"), threshold=0.5)
RNG = np.random.default_rng(7)


def drawn(count: int, prevalence: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and logits that are right: normal in each class, one apart."""
    targets = (RNG.random(count) < prevalence).astype(float)
    logits = RNG.normal(0, 1, count) + 1.5 * targets
    return targets, 1.5 * logits - 1.125 + np.log(prevalence / (1 - prevalence))


def error(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error, 15 bins of equal mass."""
    parts = np.array_split(np.argsort(probabilities), 15)
    return float(sum(abs((probabilities[part] - targets[part]).sum()) for part in parts) / len(targets))


@pytest.mark.parametrize(("factor", "shift"), [(6.0, 0.0), (0.2, 0.0), (3.0, 4.0), (1.0, -3.0)])
def test_after_calibration_the_error_on_other_images_is_at_most_5_percent(factor: float, shift: float) -> None:
    targets, logits = drawn(600)
    slope, intercept = platt(targets, factor * logits + shift)

    held_out, others = drawn(5000)

    assert error(held_out, expit(factor * others + shift)) > 0.05 or factor == 1.0 == abs(shift)
    assert error(held_out, expit(slope * (factor * others + shift) + intercept)) <= 0.05


def test_a_perfect_separation_gives_no_infinite_slope() -> None:
    targets = np.repeat([0.0, 1.0], 20)

    slope, intercept = platt(targets, 4 * targets - 2)

    # Platt's smoothed targets: 21/22 above, 1/22 below, so that sigmoid(2 slope + intercept) = 21/22
    assert expit(2 * slope + intercept) == pytest.approx(21 / 22, abs=1e-3)
    assert expit(-2 * slope + intercept) == pytest.approx(1 / 22, abs=1e-3)


def test_an_answer_that_is_the_wrong_way_round_is_not_turned_round() -> None:
    targets, logits = drawn(300)

    slope, intercept = platt(targets, -logits)

    assert slope == 0.05
    assert expit(slope * -logits + intercept).mean() == pytest.approx(targets.mean(), abs=0.02)


def test_the_threshold_keeps_the_installed_bundles_sensitivity_and_gains_specificity() -> None:
    targets = np.array([1.0] * 10 + [0.0] * 10)
    installed = np.array([0.9] * 9 + [0.1] + [0.9] * 5 + [0.1] * 5)  # sensitivity 0.9, specificity 0.5
    logits = np.array([3.0] * 9 + [-3.0] + [2.0] + [-2.0] * 9)

    found = calibrated(FINDING, targets, logits, installed)

    said = expit(found.slope * logits + found.intercept) >= found.threshold
    assert (said[:10].mean(), 1 - said[10:].mean()) == (0.9, 1.0)
    assert found.index == 3


def test_where_the_installed_bundle_tells_nothing_the_best_sum_of_both_is_taken() -> None:
    targets, installed = np.array([1.0] * 6 + [0.0] * 6), np.full(12, 0.9)
    logits = np.array([1.0, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1])

    found = calibrated(FINDING, targets, logits, installed)

    said = expit(found.slope * logits + found.intercept) >= found.threshold
    assert said.tolist() == [True] * 7 + [False] * 5


def test_too_few_images_of_a_class_leave_the_calibration_as_it_is() -> None:
    found = calibrated(FINDING, np.array([1.0] * 4 + [0.0] * 9), np.zeros(13), np.zeros(13))

    assert (found.slope, found.intercept, found.threshold) == (1.0, 0.0, 0.5)
    assert found.note == "finding 3: too few images of a class to calibrate; left as it is"
