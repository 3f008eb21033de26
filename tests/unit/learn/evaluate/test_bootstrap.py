"""The bootstrap by patient."""

import numpy as np
import pytest
from scipy import stats

from dicomnode.learn.evaluate.bootstrap import bca, draws_for, weights
from dicomnode.learn.evaluate.compare import Figure, compare
from tests.unit.learn.evaluate.evidence_made import answers, evidence, labels


def mean_of(values: np.ndarray):
    return lambda taken: taken @ values / taken.sum(1)


def test_of_a_skewed_mean_the_interval_is_scipy_s() -> None:
    values = np.random.default_rng(0).exponential(size=40)
    ours = bca(mean_of(values), np.zeros(40, np.int64), draws=40_000, seed=1)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="BCa", rng=2)

    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.01)
    assert ours.se == pytest.approx(theirs.standard_error, abs=0.005)


def test_one_seed_gives_one_interval_and_another_seed_nearly_the_same() -> None:
    values = np.random.default_rng(0).standard_normal(100)
    one, again, other = (bca(mean_of(values), np.zeros(100, np.int64), seed=seed) for seed in (1, 1, 2))

    assert (one.low, one.high) == (again.low, again.high)
    assert one.low != other.low
    assert one.low == pytest.approx(other.low, abs=0.05)


def test_patients_are_drawn_within_their_stratum() -> None:
    strata = np.repeat([0, 1], [5, 20])
    taken = np.concatenate(list(weights(strata, 50, np.random.default_rng(0))))

    assert taken.shape == (50, 25)
    assert (taken[:, :5].sum(axis=1) == 5).all()
    assert (taken[:, 5:].sum(axis=1) == 20).all()


def test_a_bound_far_out_is_made_of_more_draws() -> None:
    assert draws_for(0.025) == 2000
    assert draws_for(0.025 / 110) == 88_000  # twenty draws beyond the bound of the tenth look


def test_the_difference_of_areas_is_that_of_both_kinds_of_interval() -> None:
    made = evidence(240, correlation=0.8)  # 72 and 168 patients: DeLong
    sure = compare(Figure.AUC, made.candidate, made.in_use, 0)
    assert sure is not None
    assert sure.method.startswith("DeLong")

    few = evidence(150, correlation=0.8)  # 45 positives: bootstrap
    told = compare(Figure.AUC, few.candidate, few.in_use, 0)
    assert told is not None
    assert told.method.startswith("BCa")
    assert told.one - told.other == pytest.approx(told.figure.value)
    assert told.figure.low < told.figure.value < told.figure.high


def test_delong_and_bootstrap_agree_where_both_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    made = evidence(400)
    delong = compare(Figure.AUC, made.candidate, made.in_use, 0)
    monkeypatch.setattr("dicomnode.learn.evaluate.compare.DELONG_FROM", 10_000)
    resampled = compare(Figure.AUC, made.candidate, made.in_use, 0)

    assert delong is not None
    assert resampled is not None
    assert resampled.figure.value == pytest.approx(delong.figure.value, abs=1e-12)
    assert resampled.se == pytest.approx(delong.se, rel=0.1)
    assert resampled.figure.low == pytest.approx(delong.figure.low, abs=0.004)


def test_two_versions_without_a_fault_on_few_patients_are_not_surely_equal() -> None:
    targets = labels(40)
    one, other = (answers(str(v), targets, 20 * targets + np.random.default_rng(v).random(40)) for v in (1, 2))
    found = compare(Figure.AUC, one, other, 0)

    assert found is not None
    assert (found.one, found.other) == (1.0, 1.0)
    assert found.figure.low == pytest.approx(-(1 - 0.025 ** (1 / 12)))  # twelve positives without a difference
    assert found.se > 0


def test_two_versions_that_rank_alike_are_surely_equal() -> None:
    made = evidence(60)
    found = compare(Figure.AUC, made.in_use, made.baseline, 0)

    assert found is not None
    assert (found.figure.low, found.figure.high, found.se) == (0.0, 0.0, 0.0)
