"""G3, safety: sensitivity and specificity at the thresholds that would be in use.

Of a detector: lesions found, and images without a false mark.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dicomnode.learn.evaluate import froc
from dicomnode.learn.evaluate.clusters import patient_numbers
from dicomnode.learn.evaluate.compare import Figure, outputs
from dicomnode.learn.evaluate.power import power
from dicomnode.learn.evaluate.proportions import Pair, paired
from dicomnode.learn.evaluate.rules.asked import Asked, between, together
from dicomnode.learn.values import Answers, Estimate, RuleResult

RULE, VERSION = "G3", 1
Floats = NDArray[np.float64]
Rights = tuple[Floats, Floats]
"""(item,) share that is right, of one version: of what is there, and of what is not; NaN elsewhere."""


def safety(asked: Asked) -> RuleResult:
    """Whether the lower bounds keep the plan's floors, or are not worse than the model in use where it has none."""
    if asked.figure is Figure.DICE:
        words = "A segmentation has no decision threshold: Dice is judged by G1."
        return RuleResult(RULE, VERSION, None, words, applies=False)
    answers: dict[str, bool | None] = {}
    figures: dict[str, Estimate | float | str] = {}
    worst: list[tuple[float, str]] = []
    for name, floor, found in _pairs(asked):
        if found is None:
            answers[name] = None
            worst.append((-1.0, f"{name}: no patient to tell it by"))
            continue
        answers[name] = _kept(found, floor, asked)
        figures |= {name: found.one, f"{name}, in use": found.other, f"{name}, difference": found.difference}
        worst.append((found.difference.low, _said(name, found, floor, asked)))
    passed = together(answers.values())
    start = {True: "Safe at its thresholds", False: "Not safe at its thresholds", None: "Too few patients to tell"}[
        passed
    ]
    return RuleResult(RULE, VERSION, passed, f"{start}. {min(_chosen(worst, answers, passed))[1]}.", figures)


def _chosen(
    worst: list[tuple[float, str]], answers: dict[str, bool | None], passed: bool | None
) -> list[tuple[float, str]]:
    return [one for one, answer in zip(worst, answers.values(), strict=True) if answer is passed]


def _pairs(asked: Asked) -> Iterator[tuple[str, float, Pair | None]]:
    evidence, plan = asked.evidence, asked.plan
    clusters = patient_numbers(evidence.candidate.patients)
    for output in range(outputs(evidence.candidate, asked.figure)):
        arms = ((evidence.candidate, "candidate"), (evidence.in_use, "in_use"))
        mine, theirs = (_rights(one, output, evidence.thresholds[name][output]) for one, name in arms)
        wrongly = "images without a false mark" if asked.figure is Figure.FROC else "specificity"
        floors = {"sensitivity": plan.min_sensitivity, wrongly: plan.min_specificity}
        for (name, floor), one, other in zip(floors.items(), mine, theirs, strict=True):
            yield f"{asked.name(output)}: {name}", floor, paired(one, other, clusters, alpha=plan.alpha)


def _rights(answers: Answers, output: int, threshold: float) -> Rights:
    """Of a classification: each item. Of a detection: lesions found, and items without a false mark."""
    if answers.hits:
        found = froc.detections(answers.hits, answers.lesions)
        true, false = froc.at_threshold(found, threshold)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(found.lesions > 0, true / found.lesions, np.nan), (false == 0).astype(np.float64)
    target, told = answers.targets[:, output], answers.probabilities[:, output] >= threshold
    return np.where(target == 1, told, np.nan), np.where(target == 0, ~told, np.nan)


def _kept(found: Pair, floor: float, asked: Asked) -> bool | None:
    """As `not_worse` answers; beside a floor: whether the lower bound, the share itself, the upper bound keep it."""
    if floor > 0:
        return True if found.one.low > floor else False if found.one.value <= floor else None
    margin, one = asked.plan.margin_sensitivity, found.difference
    if one.low > -margin:
        return True
    reach = -float(ndtri(asked.plan.alpha))
    enough = power((one.value - one.low) / reach, margin, reach) >= asked.plan.min_power
    return False if one.value <= -margin or one.high < 0 or enough else None


def _said(name: str, found: Pair, floor: float, asked: Asked) -> str:
    if floor > 0:
        return f"{name} {between(found.one)}, its lower bound must be above {floor:.3f}"
    return (
        f"{name} {found.one.value:.3f} against {found.other.value:.3f} of the model in use, difference "
        f"{found.difference.value:+.3f}, at worst {found.difference.low:+.3f} where "
        f"{-asked.plan.margin_sensitivity:+.3f} was allowed"
    )
