"""FROC and Dice, with numbers a reader can work out."""

from dataclasses import replace

import numpy as np
import pytest

from dicomnode.learn.evaluate.compare import Figure, compare, estimate
from dicomnode.learn.evaluate.dice import comparable, patient_means
from dicomnode.learn.evaluate.froc import RATES, at_threshold, curve, detections, leading, mean_sensitivity
from dicomnode.learn.values import Answers

NONE = np.zeros((0, 0))


def detector(version: str, hits: list[tuple[tuple[float, bool], ...]], lesions: list[int]) -> Answers:
    names = tuple(f"{place:03d}" for place in range(len(hits)))
    return Answers(version, names, names, NONE, NONE, NONE, NONE, tuple(hits), tuple(lesions))


def test_the_curve_is_read_at_seven_rates_and_averaged() -> None:
    hits = [((0.9, True), (0.5, False)), ((0.8, False), (0.7, True)), ((0.6, False),), ()]
    found = detections(hits, [1, 2, 0, 1])
    false, true = curve(found, np.ones(4))

    assert false.tolist() == [0, 0, 0.25, 0.25, 0.5, 0.75]
    assert true.tolist() == [0, 0.25, 0.25, 0.5, 0.5, 0.5]
    # at 1/8 half-way between (0, 0.25) and (0.25, 0.5); from 1/4 on one half, however many more are allowed
    assert mean_sensitivity(found, np.ones((1, 4)))[0] == pytest.approx((0.375 + 6 * 0.5) / 7)


def test_equal_scores_cannot_be_parted_by_a_threshold() -> None:
    found = detections([((0.5, True), (0.5, False), (0.5, True))], [2])

    assert curve(found, np.ones(1))[1].tolist() == [0, 1]
    assert curve(found, np.ones(1))[0].tolist() == [0, 1]


def test_a_detector_that_says_nothing_has_no_sensitivity_and_no_lesion_no_figure() -> None:
    assert mean_sensitivity(detections([(), ()], [1, 0]), np.ones((1, 2))).tolist() == [0.0]
    assert np.isnan(mean_sensitivity(detections([(), ()], [0, 0]), np.ones((1, 2)))).all()
    assert compare(Figure.FROC, *[detector(v, [(), ()], [0, 0]) for v in "ab"], 0) is None


def test_boxes_far_below_the_last_rate_change_nothing() -> None:
    rng = np.random.default_rng(0)
    hits = [tuple((float(score), bool(score > 0.9)) for score in rng.random(100)) for _ in range(5)]
    found = detections(hits, [20] * 5)
    few = leading(found)

    assert 80 < len(few.scores) < 150 < len(found.scores)
    assert mean_sensitivity(few, np.ones((1, 5))) == mean_sensitivity(found, np.ones((1, 5)))


def test_at_a_threshold_hits_and_false_positives_are_counted_for_each_item() -> None:
    found = detections([((0.9, True), (0.4, True)), ((0.6, False), (0.5, False))], [2, 0])

    assert [row.tolist() for row in at_threshold(found, 0.5)] == [[1, 0], [0, 2]]


def test_a_better_detector_is_better_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    lesions = [1] * 60
    good = [((float(rng.random()), False), (float(0.3 + rng.random()), True)) for _ in lesions]
    bad = [((float(rng.random()), False), (float(0.3 + rng.random()), bool(rng.random() < 0.6))) for _ in lesions]
    found = compare(Figure.FROC, detector("g", good, lesions), detector("b", bad, lesions), 0)

    assert found is not None
    assert found.figure.low > 0.1
    assert (found.positives, found.negatives) == (60, 0)
    assert len(RATES) == 7


def test_a_segment_drawn_where_there_is_none_is_not_passed_over() -> None:
    nan = float("nan")
    one, other = comparable(np.array([nan, 0.8, nan, 0.0]), np.array([0.0, 0.7, nan, nan]))

    np.testing.assert_array_equal(one, [1.0, 0.8, nan, 0.0])
    np.testing.assert_array_equal(other, [0.0, 0.7, nan, 1.0])


def test_dice_is_a_mean_over_patients_not_over_images() -> None:
    means, patients = patient_means(np.array([0.2, 0.4, 0.9, np.nan]), np.array([0, 0, 1, 2]))

    assert means.tolist() == pytest.approx([0.3, 0.9])
    assert patients.tolist() == [0, 1]

    names = ("a", "a", "a", "b")
    dice = np.array([[0.2], [0.2], [0.2], [0.8]])
    told = estimate(Figure.DICE, Answers("v", ("1", "2", "3", "4"), names, NONE, NONE, NONE, dice), 0)
    assert told is not None
    assert (told.value, told.n) == (0.5, 2)


def test_a_small_gain_on_every_patient_is_proven_with_few() -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"{place}" for place in range(20))
    base = rng.uniform(0.6, 0.9, (20, 2))
    other = Answers("o", names, names, NONE, NONE, NONE, base)
    found = compare(Figure.DICE, replace(other, version="c", dice=base + rng.normal(0.02, 0.01, (20, 2))), other, 1)

    assert found is not None
    assert 0.01 < found.figure.low < found.figure.value < 0.03
