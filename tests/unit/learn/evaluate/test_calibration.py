"""Slope, intercept, Brier score, ECE and the reliability curve; prediction sets; proportions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from dicomnode.learn.evaluate.calibration import expected_error, recalibration, reliability
from dicomnode.learn.evaluate.compare import Figure, estimate
from dicomnode.learn.evaluate.conformal import coverage_band, coverages, one_each, prediction_sets
from dicomnode.learn.evaluate.proportions import paired, proportion
from dicomnode.learn.values import Answers


def told(logits: np.ndarray, targets: np.ndarray, *, items: int = 1) -> Answers:
    names = tuple(f"{place:05d}" for place in range(len(targets)))
    patients = tuple(f"p{place // items:05d}" for place in range(len(targets)))
    column = logits[:, None]
    return Answers("v", names, patients, targets[:, None].astype(float), column, expit(column), np.zeros((0, 0)))


def world(count: int, *, slope: float = 1.0, shift: float = 0.0, seed: int = 0) -> Answers:
    """Findings that come as logit = shift + slope × told."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-0.5, 1.5, count)
    return told(logits, (rng.random(count) < expit(shift + slope * logits)).astype(float))


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.5, 0.4), (1.6, -0.5)])
def test_slope_and_intercept_say_what_would_put_it_right(slope: float, shift: float) -> None:
    found = recalibration(world(4000, slope=slope, shift=shift), 0)

    assert found is not None
    assert found.slope.low < slope < found.slope.high
    assert found.intercept.low < shift < found.intercept.high
    assert found.slope.high - found.slope.low < 0.25


def test_findings_commoner_than_told_show_in_the_large() -> None:
    found = recalibration(world(2000, shift=0.8), 0)

    assert found is not None
    assert found.in_the_large.low > 0.5


def test_several_images_of_a_patient_do_not_narrow_the_slope() -> None:
    once = world(300)
    thrice = told(np.repeat(once.logits[:, 0], 3), np.repeat(once.targets[:, 0], 3), items=3)
    one, three = recalibration(once, 0), recalibration(thrice, 0)

    assert one is not None
    assert three is not None
    assert three.slope.value == pytest.approx(one.slope.value, abs=1e-6)
    assert three.slope.low == pytest.approx(one.slope.low, abs=1e-6)


def test_one_class_or_classes_parted_without_an_error_have_no_slope() -> None:
    assert recalibration(told(np.linspace(-1, 1, 50), np.zeros(50)), 0) is None
    assert recalibration(told(np.linspace(-1, 1, 50), (np.linspace(-1, 1, 50) > 0).astype(float)), 0) is None


def test_brier_has_an_interval_and_ece_is_judged_from_a_thousand_patients() -> None:
    small, large = world(300), world(3000)
    brier = estimate(Figure.BRIER, small, 0)

    assert brier is not None
    assert brier.value == pytest.approx(float(np.mean((small.probabilities - small.targets) ** 2)))
    assert brier.low < brier.value < brier.high
    assert expected_error(small, 0) is None
    assert 0 < (expected_error(large, 0) or 0) < 0.05
    assert (expected_error(world(3000, shift=1.0), 0) or 0) > 0.1


def test_a_thousand_images_of_few_patients_are_not_a_thousand_patients() -> None:
    assert expected_error(told(np.zeros(2000), np.tile([0.0, 1.0], 1000), items=4), 0) is None


def test_the_reliability_curve_has_bins_of_equal_mass_with_intervals() -> None:
    points = reliability(world(500), 0)

    assert len(points) == 10
    assert [point.observed.n for point in points] == [50] * 10
    assert all(point.observed.low <= point.observed.value <= point.observed.high for point in points)
    assert [point.told for point in points] == sorted(point.told for point in points)
    assert len(reliability(world(25), 0)) == 2


def test_a_class_is_in_the_sets_as_mondrian_conformal_prediction_says() -> None:
    one, other = world(200), world(300, seed=1)
    targets, chances = one.targets[:, 0], one.probabilities[:, 0]
    sets = prediction_sets(targets, chances, other.probabilities[:, 0], 0.9)
    for label in (0, 1):
        scores = np.sort(np.where(label == 1, 1 - chances, chances)[targets == label])
        limit = scores[int(np.ceil((len(scores) + 1) * 0.9)) - 1]
        asked = other.probabilities[:, 0] if label else 1 - other.probabilities[:, 0]
        np.testing.assert_array_equal(sets.inside[:, label], 1 - asked <= limit)
    assert 0 < sets.abstention < 1


def test_a_class_with_too_few_patients_is_never_left_out() -> None:
    targets = np.r_[np.ones(8), np.zeros(100)]
    sets = prediction_sets(targets, np.linspace(0.9, 0.1, 108), np.array([0.01, 0.99]), 0.9)

    assert sets.inside[:, 1].all()
    assert [one.label for one in coverages(sets, np.array([0.0, 1.0]), 0.9)] == [0]


def test_the_band_of_coverage_is_wider_than_a_binomial_s_and_holds_the_promise() -> None:
    low, high = coverage_band(100, 120, 0.9)

    assert low < 0.9 < high
    assert high - low > (binom(120, 0.9).ppf(0.975) - binom(120, 0.9).ppf(0.025)) / 120


def test_each_patient_is_promised_once() -> None:
    made = told(np.arange(6.0), np.array([1, 1, 0, 0, 0, np.nan]), items=2)
    targets, chances = one_each(made, 0)

    assert targets.tolist() == [1, 0, 0]
    assert chances.tolist() == expit(np.array([0.0, 2.0, 4.0])).tolist()


def test_paired_proportions_have_newcombe_s_interval() -> None:
    # Newcombe 1998, table I, a = 20, b = 12, c = 2, d = 16: method 10 gives 0.0562 to 0.3290
    one = np.r_[np.ones(20), np.ones(12), np.zeros(2), np.zeros(16)]
    other = np.r_[np.ones(20), np.zeros(12), np.ones(2), np.zeros(16)]
    found = paired(one, other, np.arange(50))

    assert found is not None
    assert (found.difference.value, found.one.value, found.other.value) == pytest.approx((0.2, 0.64, 0.44))
    assert (found.difference.low, found.difference.high) == pytest.approx((0.0562, 0.3290), abs=5e-4)


def test_proportions_without_an_exception_are_not_certain_and_images_of_a_patient_count_once() -> None:
    ten = proportion(np.ones(10), np.arange(10))
    assert ten is not None
    assert ten.low == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)  # Wilson

    assert proportion(np.ones(100), np.repeat(np.arange(10), 10)) == ten
    assert proportion(np.full(5, np.nan), np.arange(5)) is None
    none = paired(np.ones(10), np.ones(10), np.arange(10))
    assert none is not None
    assert none.difference.low < -0.2


def test_unknown_findings_enter_no_figure() -> None:
    made = world(400)
    targets = made.targets.copy()
    targets[::4] = np.nan
    some = replace(made, targets=targets)
    brier = estimate(Figure.BRIER, some, 0)

    assert brier is not None
    assert brier.n == 300
