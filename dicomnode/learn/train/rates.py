"""The range test: the loss while the learning rate grows says where a recipe learns fastest.

Source: Smith, Cyclical Learning Rates (WACV 2017).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dicomnode.learn.train.fitting import Fit, Wanted
from dicomnode.learn.train.recipes import RAMP_STEPS

BEYOND = 10.0
"""The test goes so many times below and above the recipe's bracket."""
SMOOTH = 0.7


def range_test(wanted: Wanted, fit: Callable[[Wanted], Fit]) -> float:
    """The rate at which the recipe's smoothed loss falls fastest, in one short training whose rate grows all along."""
    recipe = wanted.recipe
    low, high = recipe.lowest / BEYOND, recipe.highest * BEYOND
    length = math.ceil(len(wanted.train) / recipe.batch(wanted.dimensions))
    ramped = replace(wanted, ramp=(low, high), epochs=math.ceil(RAMP_STEPS / length), stop=())
    losses = fit(ramped).told.losses[:RAMP_STEPS]
    return steepest(np.geomspace(low, high, RAMP_STEPS)[: len(losses)].tolist(), losses)


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float:
    """Of these rates the one where the loss falls fastest per decade; the middle one where too few tell."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    if len(finite) < 3:
        return math.sqrt(rates[0] * rates[-1])
    for n in range(1, len(finite)):
        finite[n] = SMOOTH * finite[n - 1] + (1 - SMOOTH) * finite[n]
    falling = np.gradient(np.array(finite), np.log10(np.array(rates[: len(finite)])))
    return float(rates[int(np.argmin(falling))])
