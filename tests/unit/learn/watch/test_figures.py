"""The tests behind the daily look keep their false-alarm rate, and see what is plain to see."""

import numpy as np
import pytest

from dicomnode.learn.watch.figures import (
    Figure,
    alarms,
    categories,
    corrected,
    discrepancy,
    distribution,
    rate,
    stability,
)


def test_the_same_mix_is_no_change_and_a_new_scanner_is_one() -> None:
    assert categories(["A"] * 30 + ["B"] * 30, ["A"] * 25 + ["B"] * 25) == (0.0, 1.0)
    assert categories(["A"] * 60, ["A"] * 60) == (0.0, 1.0)

    size, p = categories(["A"] * 60, ["C"] * 60)

    assert size == pytest.approx(1.0)
    assert p < 1e-20


def test_the_stability_index_of_two_halves_is_worked_out_by_hand() -> None:
    before, now = np.arange(100.0), np.concatenate([np.zeros(100), np.arange(100.0)])

    index, p = stability(before, now)

    shares = (
        np.array([10.5, *[10.5] * 9]) / 105,
        np.array([110.5, *[10.5] * 9]) / 205,
    )  # tenths, with half a study each
    assert index == pytest.approx(float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))))
    assert p < 1e-6


@pytest.mark.parametrize("which", ["distribution", "stability", "discrepancy"])
def test_without_change_no_more_alarms_come_than_promised(which: str) -> None:
    random = np.random.default_rng(7)
    ways = {"distribution": distribution, "stability": stability, "discrepancy": lambda a, b: discrepancy(a, b, 1)}
    trials = 40 if which == "discrepancy" else 400
    length = (4,) if which == "discrepancy" else ()

    hits = sum(
        ways[which](random.normal(size=(60, *length)), random.normal(size=(50, *length)))[1] < 0.05
        for _ in range(trials)
    )

    assert hits <= 0.05 * trials + 3 * (0.05 * 0.95 * trials) ** 0.5


def test_images_that_look_otherwise_are_seen() -> None:
    random = np.random.default_rng(7)
    before, now = random.normal(size=(60, 8)), random.normal(0.8, 1.0, size=(50, 8))

    assert discrepancy(before, now, 1)[1] == 1 / 5000
    assert discrepancy(before, now, 1) == discrepancy(before, now, 1)


def test_a_rate_is_compared_by_fishers_test() -> None:
    share, p = rate([True] + [False] * 59, [True] * 20 + [False] * 40)

    assert share == pytest.approx(1 / 3)
    assert p < 1e-4


def test_many_figures_at_once_are_corrected_and_a_small_index_does_not_alarm() -> None:
    given = [Figure(str(n), 0.2, p, 60, "") for n, p in enumerate((0.005, 0.04, 0.5, None))]

    found = corrected(given)

    assert [figure.p for figure in found] == [pytest.approx(0.015), pytest.approx(0.06), pytest.approx(0.5), None]
    assert not alarms(Figure("PSI", 0.2, 1e-9, 60, "", least=0.25), 0.01)
    assert alarms(Figure("PSI", 0.3, 1e-9, 60, "", least=0.25), 0.01)
