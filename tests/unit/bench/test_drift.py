"""The bench on drift counts what the daily look would have alarmed."""

import numpy as np

from dicomnode.bench.drift import Looked, Rate, image_figures
from dicomnode.bench.tables import drift_table


def looked(random: np.random.Generator, shift: float, count: int) -> Looked:
    return Looked(random.normal(shift, 1, (count, 4)), random.normal(shift, 1, count))


def test_a_change_is_seen_in_every_figure() -> None:
    random = np.random.default_rng(5)

    figures = image_figures(looked(random, 0, 60), looked(random, 1, 60), seed=1)

    assert [figure.name for figure in figures] == ["embedding", "output", "output, PSI"]
    assert max(figure.p for figure in figures) < 0.01


def test_targets_are_for_the_sizes_that_were_promised() -> None:
    assert Rate("inverted", 500, 0.9, 200).is_target is True
    assert Rate("inverted", 500, 0.89, 200).is_target is False
    assert Rate("inverted", 100, 0.1, 200).is_target is None
    assert Rate("header, the scanner of 30 % of studies replaced", 100, 0.95, 200).is_target is True
    assert Rate("no change", 50, 0.09, 200).is_target is False
    assert drift_table((Rate("no change", 50, 0.05, 200),)).row_count == 1
