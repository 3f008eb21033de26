"""Prediction sets: which answers a model may give so that each class is covered as often as promised.

Class-conditional (Mondrian), since a promise kept on average is broken for the rare class. mapie makes the sets, one
conformalization a class, of the probabilities as they are.

Source: Vovk, Gammerman, Shafer 2005 (Mondrian); Angelopoulos, Bates 2023, 3.2 (coverage is beta-binomial).
"""

import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from mapie.classification import SplitConformalClassifier
from numpy.typing import NDArray
from scipy.stats import betabinom
from sklearn.base import BaseEstimator, ClassifierMixin

from dicomnode.learn.values import Answers

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CLASSES = (0, 1)


class Told(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose input is the probability of the finding itself."""

    def __init__(self) -> None:
        self.classes_ = np.array(CLASSES)

    def fit(self, features: Floats, targets: Floats) -> Self:
        """Nothing is fitted."""
        del features, targets
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, features: Floats) -> Floats:
        """(item, 1) probabilities to (item, class)."""
        return np.concatenate([1 - features, features], axis=1)

    def predict(self, features: Floats) -> NDArray[np.int64]:
        """The likelier class."""
        return np.asarray(features[:, 0] >= 0.5, dtype=np.int64)


@dataclass(frozen=True)
class Sets:
    """Prediction sets of one output."""

    inside: Bools
    """(item, class): whether the class is in the item's set."""
    calibrated: tuple[int, int]
    """Items of each class they were fitted on."""

    @property
    def abstention(self) -> float:
        """Share of items whose set does not name exactly one class."""
        return float(np.mean(self.inside.sum(axis=1) != 1))


@dataclass(frozen=True)
class Coverage:
    """How often one class was in the set of an item of that class."""

    label: int
    covered: float
    items: int
    band: tuple[float, float]
    """Where it lies by chance if the promise holds."""

    @property
    def kept(self) -> bool:
        """Whether it lies within the band."""
        return self.band[0] <= self.covered <= self.band[1]


def fewest(coverage: float) -> int:
    """Items of a class from which a set can leave the class out at all."""
    return int(np.ceil(1 / (1 - coverage) - 1e-9))


def prediction_sets(targets: Floats, told: Floats, asked: Floats, coverage: float) -> Sets:
    """Class-conditional prediction sets.

    Args:
        targets: (item,) 1 or 0, of the calibration items.
        told: (item,) their probabilities.
        asked: (item,) probabilities of the items that get a set.
        coverage: promised to each class.

    Returns:
        sets; a class with too few calibration items is in every one.
    """
    inside = np.ones((len(asked), 2), dtype=np.bool_)
    counts = [int(np.sum(targets == label)) for label in CLASSES]
    for label in CLASSES:
        if counts[label] >= fewest(coverage):
            inside[:, label] = _inside(told[targets == label], label, asked, coverage)
    return Sets(inside, (counts[0], counts[1]))


def coverages(sets: Sets, targets: Floats, coverage: float, *, level: float = 0.95) -> tuple[Coverage, ...]:
    """How each class was covered, beside the band for that many items; a class without items is left out."""
    found = []
    for label in CLASSES:
        mine, count = targets == label, int(np.sum(targets == label))
        if count and sets.calibrated[label] >= fewest(coverage):
            band = coverage_band(sets.calibrated[label], count, coverage, level)
            found.append(Coverage(label, float(sets.inside[mine, label].mean()), count, band))
    return tuple(found)


def coverage_band(calibrated: int, items: int, coverage: float, level: float = 0.95) -> tuple[float, float]:
    """Band of the observed coverage if the promise holds: beta-binomial, central."""
    left_out = int(np.floor((calibrated + 1) * (1 - coverage) + 1e-9))
    chance = betabinom(items, calibrated + 1 - left_out, left_out)
    return float(chance.ppf((1 - level) / 2)) / items, float(chance.ppf((1 + level) / 2)) / items


def one_each(answers: Answers, output: int) -> tuple[Floats, Floats]:
    """Targets and probabilities with one item of each patient and class: the promise is about patients.

    The item with the smallest id is taken; ids are digests, so that nothing of the answer chooses.
    """
    first: dict[tuple[str, float], int] = {}
    for place in np.argsort(np.asarray(answers.item_ids)).tolist():
        target = float(answers.targets[place, output])
        if not np.isnan(target):
            first.setdefault((answers.patients[place], target), place)
    kept = list(first.values())
    return answers.targets[kept, output], answers.probabilities[kept, output]


def _inside(told: Floats, label: int, asked: Floats, coverage: float) -> Bools:
    made = SplitConformalClassifier(Told(), confidence_level=coverage, conformity_score="lac", prefit=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "WARNING: your conformalization dataset has less labels")  # that is Mondrian
        made.conformalize(told[:, None], np.full(len(told), label))
    return np.asarray(made.predict_set(asked[:, None])[1][:, label, 0], dtype=np.bool_)
