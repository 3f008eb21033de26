"""Areas under the curve against their definitions, written out pair by pair."""

import numpy as np
import pytest

from dicomnode.learn.evaluate.auc import area_estimate, areas, placements, reach


def scores_of(seed: int = 0, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and scores of three versions; some equal where asked."""
    rng = np.random.default_rng(seed)
    targets = np.r_[np.ones(23), np.zeros(41)]
    scores = targets + rng.standard_normal((3, 64)) + rng.standard_normal(64)
    return targets, np.round(scores, 0 if ties else 12)


def kernel(x: float, y: float) -> float:
    return 1.0 if x > y else 0.5 if x == y else 0.0


def by_definition(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong 1988, equations 2 to 6: areas, and their covariance."""
    positive, negative = np.flatnonzero(targets == 1), np.flatnonzero(targets == 0)
    m, n = len(positive), len(negative)
    v10 = [[sum(kernel(one[i], one[j]) for j in negative) / n for i in positive] for one in scores]
    v01 = [[sum(kernel(one[i], one[j]) for i in positive) / m for j in negative] for one in scores]
    return np.mean(v10, axis=1), np.cov(v10) / m + np.cov(v01) / n


def clustered_by_definition(targets: np.ndarray, scores: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Obuchowski 1997: covariance of areas with several items a patient."""
    positive, negative = np.flatnonzero(targets == 1), np.flatnonzero(targets == 0)
    m, n, values = len(positive), len(negative), by_definition(targets, scores)[0]
    v10 = [{i: sum(kernel(one[i], one[j]) for j in negative) / n for i in positive} for one in scores]
    v01 = [{j: sum(kernel(one[i], one[j]) for i in positive) / m for j in negative} for one in scores]
    names = np.unique(clusters)
    with_positive, with_negative = np.unique(clusters[positive]), np.unique(clusters[negative])
    found = np.zeros((len(scores), len(scores)))
    for r in range(len(scores)):
        for s in range(len(scores)):

            def x(version: int, c: int) -> float:
                mine = [i for i in positive if clusters[i] == c]
                return sum(v10[version][i] for i in mine) - len(mine) * values[version]

            def y(version: int, c: int) -> float:
                mine = [j for j in negative if clusters[j] == c]
                return sum(v01[version][j] for j in mine) - len(mine) * values[version]

            a, b, c = len(with_positive), len(with_negative), len(names)
            s10 = sum(x(r, k) * x(s, k) for k in with_positive) * a / ((a - 1) * m)
            s01 = sum(y(r, k) * y(s, k) for k in with_negative) * b / ((b - 1) * n)
            s11 = sum(x(r, k) * y(s, k) + x(s, k) * y(r, k) for k in names) * c / (c - 1)
            found[r, s] = s10 / m + s01 / n + s11 / (m * n)
    return found


@pytest.mark.parametrize("ties", [False, True])
def test_areas_and_covariance_equal_delong_s_definition(ties: bool) -> None:
    targets, scores = scores_of(ties=ties)
    values, covariance = by_definition(targets, scores)
    found = areas(targets, scores, np.arange(64))

    assert found is not None
    np.testing.assert_allclose(found.values, values, atol=1e-10)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-10)
    assert (found.positives, found.negatives, found.patients) == (23, 41, 64)


@pytest.mark.parametrize("ties", [False, True])
def test_with_several_items_a_patient_the_covariance_is_obuchowski_s(ties: bool) -> None:
    targets, scores = scores_of(1, ties=ties)
    clusters = np.random.default_rng(2).integers(0, 20, 64)
    found = areas(targets, scores, clusters)

    assert found is not None
    np.testing.assert_allclose(found.covariance, clustered_by_definition(targets, scores, clusters), atol=1e-10)


def test_the_covariance_equals_mlstatkit_s() -> None:
    mlstatkit = pytest.importorskip("MLstatkit", reason="MLstatkit is not there")
    targets, scores = scores_of(3)
    found = areas(targets, scores[:2], np.arange(64))

    assert found is not None
    z = (found.values[0] - found.values[1]) / found.difference_se(0, 1)
    assert abs(mlstatkit.Delong_test(targets, scores[0], scores[1])[0]) == pytest.approx(abs(z), abs=1e-10)


def test_a_tie_counts_half() -> None:
    above, below = placements(np.array([1.0, 2.0]), np.array([1.0, 0.0]))

    assert above.tolist() == [0.75, 1.0]
    assert below.tolist() == [0.75, 1.0]


def test_sending_every_image_three_times_makes_nothing_surer() -> None:
    targets, scores = scores_of()
    once = areas(targets, scores, np.arange(64))
    again = areas(np.tile(targets, 3), np.tile(scores, 3), np.tile(np.arange(64), 3))

    assert once is not None
    assert again is not None
    np.testing.assert_allclose(again.values, once.values, atol=1e-12)
    np.testing.assert_allclose(again.covariance, once.covariance, atol=1e-12)
    assert again.positives == once.positives


def test_one_class_or_one_patient_of_a_class_has_no_area() -> None:
    targets, scores = scores_of()
    assert areas(np.ones(64), scores, np.arange(64)) is None
    assert areas(np.zeros(64), scores, np.arange(64)) is None
    assert areas(targets, scores, np.where(targets == 1, 0, np.arange(64))) is None


def test_an_area_of_one_is_not_certain() -> None:
    targets = np.r_[np.ones(10), np.zeros(30)]
    found = areas(targets, targets[None] + 0.0, np.arange(40))

    assert found is not None
    told = area_estimate(found, 0)
    assert (told.value, told.high) == (1.0, 1.0)
    assert told.low == pytest.approx(0.025**0.1)  # ten positives without an exception


def test_few_positives_reach_further_than_the_normal_quantile() -> None:
    assert reach(0.025, 60) == pytest.approx(2.001, abs=1e-3)  # Student's t with 59 degrees of freedom
    assert reach(0.025, 10_000) == pytest.approx(1.960, abs=1e-3)
