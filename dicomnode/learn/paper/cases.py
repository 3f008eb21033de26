"""Which cases a person is shown: of the validation patients alone, one of each patient, in three roles.

The sealed test stays sealed: its pictures would teach people, and through them the next candidate, what it holds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import logit

from dicomnode.errors import ModelFault
from dicomnode.learn.orders import Shown
from dicomnode.learn.values import Answers, Split, TrainingSet

EACH = 3
"""Cases of each role."""
EDGE = 1e-6
Role = Literal["correct", "wrong", "uncertain"]
ROLES: tuple[Role, ...] = ("correct", "wrong", "uncertain")


@dataclass(frozen=True)
class _Case:
    """How well one case would stand for each role: the larger the better, -inf: not at all."""

    row: int
    output: int
    words: str
    fits: tuple[float, float, float]


def cases(
    training: TrainingSet, answers: Answers, thresholds: tuple[float, ...], names: tuple[str, ...]
) -> tuple[Shown, ...]:
    """The cases that stand for a candidate best.

    Args:
        training: whose validation items were answered.
        answers: of the candidate, on them.
        thresholds: of each finding; of a segmentation none.
        names: of the findings or segments.

    Raises:
        ModelFault: an item is not a validation item.
    """
    allowed = {item.item_id for item in training.of(Split.VALIDATION)}
    if not allowed.issuperset(answers.item_ids):
        raise ModelFault("a case that is not of the validation patients is never shown")
    if answers.dice.size:
        found = list(_by_dice(answers, names))
    elif answers.hits:
        found = list(_by_boxes(answers, thresholds))
    else:
        found = list(_by_probability(answers, thresholds, names))
    return tuple(_chosen(found, answers))


def _chosen(found: list[_Case], answers: Answers) -> Iterator[Shown]:
    """The best of each role in turn, so that no role takes another's; a patient stands once."""
    used: set[str] = set()
    taken: dict[Role, list[Shown]] = {role: [] for role in ROLES}
    for _ in range(EACH):
        for place, role in reversed(list(enumerate(ROLES))):  # what is rare first
            best = _best(found, answers, place, used)
            if best is not None:
                used.add(answers.patients[best.row])
                shown = Shown(item=answers.item_ids[best.row], role=role, output=best.output, words=best.words)
                taken[role].append(shown)
    for role in ROLES:
        yield from taken[role]


def _best(found: Iterable[_Case], answers: Answers, place: int, used: set[str]) -> _Case | None:
    free = [case for case in found if answers.patients[case.row] not in used and case.fits[place] > -np.inf]
    return max(free, key=lambda case: (case.fits[place], answers.item_ids[case.row]), default=None)


def _by_probability(answers: Answers, thresholds: tuple[float, ...], names: tuple[str, ...]) -> Iterator[_Case]:
    """By how far the probability is from the threshold; of the correct ones those with the finding go first."""
    for row, output in zip(*np.nonzero(~np.isnan(answers.targets)), strict=True):
        present, told = answers.targets[row, output] == 1, float(answers.probabilities[row, output])
        threshold = thresholds[output]
        distance = float(logit(np.clip(told, EDGE, 1 - EDGE)) - logit(np.clip(threshold, EDGE, 1 - EDGE)))
        right = (told >= threshold) == present
        words = (
            f"{names[output]}. Label: {'present' if present else 'absent'}. Candidate: {told:.2f}, "
            f"threshold {threshold:.2f}."
        )
        correct = abs(distance) + (100.0 if present else 0.0) if right else -np.inf
        yield _Case(int(row), int(output), words, (correct, -np.inf if right else abs(distance), -abs(distance)))


def _by_dice(answers: Answers, names: tuple[str, ...]) -> Iterator[_Case]:
    """Best, worst, and nearest to the middle, by the mean over the segments."""
    told = [(row, float(np.nanmean(one))) for row, one in enumerate(answers.dice) if np.isfinite(one).any()]
    middle = float(np.median([mean for _, mean in told])) if told else 0.0
    for row, mean in told:
        each = zip(names, answers.dice[row].tolist(), strict=True)
        words = "Dice: " + ", ".join(f"{name} {dice:.2f}" for name, dice in each if np.isfinite(dice)) + "."
        yield _Case(row, 0, words, (mean, -mean, -abs(mean - middle)))


def _by_boxes(answers: Answers, thresholds: tuple[float, ...]) -> Iterator[_Case]:
    """By what was missed or marked for nothing at the threshold; the nearest box to it is uncertain."""
    threshold = min(thresholds, default=0.5)
    for row, (boxes, lesions) in enumerate(zip(answers.hits, answers.lesions, strict=True)):
        found = sum(hit and score >= threshold for score, hit in boxes)
        false = sum(not hit and score >= threshold for score, hit in boxes)
        faults = lesions - found + false
        words = f"{found} of {lesions} lesion(s) found, {false} false mark(s)."
        near = max((-abs(score - threshold) for score, _ in boxes), default=-np.inf)
        correct = float(lesions) if lesions and not faults else -np.inf
        yield _Case(row, 0, words, (correct, float(faults) if faults else -np.inf, near))
