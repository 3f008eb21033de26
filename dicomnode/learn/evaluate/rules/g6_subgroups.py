"""G6, subgroups: no sex, age band, scanner or site pays for the gain of the others."""

import numpy as np

from dicomnode.learn.evaluate.bootstrap import bca
from dicomnode.learn.evaluate.clusters import patient_numbers
from dicomnode.learn.evaluate.compare import Figure, outputs
from dicomnode.learn.evaluate.rules.asked import Asked, listed, not_worse, said
from dicomnode.learn.evaluate.subgroups import Group, groups
from dicomnode.learn.values import Estimate, RuleResult

RULE, VERSION = "G6", 1
INSUFFICIENT = "insufficient data"


def subgroup(asked: Asked) -> RuleResult:
    """Whether each group that is large enough is not worse than with the baseline, and sensitivities grow not apart."""
    plan, evidence = asked.plan, asked.evidence
    every = [
        group
        for output in range(outputs(evidence.candidate, asked.figure))
        for group in groups(evidence, asked.figure, output, alpha=plan.alpha, seed=asked.seed)
    ]
    answers = {_name(asked, one): not_worse(one.found, plan.subgroup_margin, plan) for one in every}
    figures: dict[str, Estimate | float | str] = {
        _name(asked, one): one.found.figure if one.found else _few(one) for one in every
    }
    gaps = _gaps(asked, every)
    figures |= {name: gap for name, (gap, _) in gaps.items()}
    answers |= {name: kept for name, (_, kept) in gaps.items()}
    return RuleResult(RULE, VERSION, _passed(answers), _words(asked, every, answers), figures)


def _passed(answers: dict[str, bool | None]) -> bool | None:
    """Groups with too little to tell are never passed; where all are so, nothing is said."""
    told = set(answers.values())
    return False if False in told else True if True in told else None


def _words(asked: Asked, every: list[Group], answers: dict[str, bool | None]) -> str:
    harmed = [name for name, answer in answers.items() if answer is False]
    unsure = [name for name, answer in answers.items() if answer is None]
    kept = sum(answer is True for answer in answers.values())
    rest = f" {INSUFFICIENT.capitalize()} for {listed(unsure)}: not passed." if unsure else ""
    if not answers:
        return "No item names a sex, age, scanner or site: no group could be looked at."
    if harmed:
        first = next((one for one in every if _name(asked, one) == harmed[0] and one.found), None)
        detail = f" ({said(first.found, asked.plan.subgroup_margin)})" if first and first.found else ""
        return f"Worse for {listed(harmed)}{detail}.{rest}"
    if not kept:
        return f"No group is large enough to be judged.{rest}"
    return f"Of {len(answers)} groups and gaps {kept} could be judged, and none is worse.{rest}"


def _name(asked: Asked, one: Group) -> str:
    many = outputs(asked.evidence.candidate, asked.figure) > 1
    where = f"{asked.name(one.output)}, " if many else ""
    return f"{where}{one.attribute.replace('_', ' ')} {one.value}"


def _few(one: Group) -> str:
    return f"{INSUFFICIENT}: {one.positives} patients with the finding and {one.negatives} without"


def _gaps(asked: Asked, every: list[Group]) -> dict[str, tuple[Estimate, bool | None]]:
    """How much further apart the sensitivities of an attribute's groups are than with the model in use."""
    if asked.figure is not Figure.AUC:
        return {}
    found: dict[str, tuple[Estimate, bool | None]] = {}
    for attribute in dict.fromkeys(one.attribute for one in every):
        for output in range(outputs(asked.evidence.candidate, asked.figure)):
            judged = [one.value for one in every if (one.attribute, one.output) == (attribute, output) and one.found]
            gap = _gap(asked, attribute, judged, output) if len(judged) > 1 else None
            if gap is not None:
                many = f"{asked.name(output)}, " if asked.evidence.candidate.targets.shape[1] > 1 else ""
                found[f"{many}{attribute.replace('_', ' ')}: sensitivities further apart by"] = gap
    return found


def _gap(asked: Asked, attribute: str, values: list[str], output: int) -> tuple[Estimate, bool | None] | None:
    """Kept: not above the margin. Not kept: above it, and above 0 beyond chance. None: above it, perhaps by chance."""
    evidence, margin = asked.evidence, asked.plan.subgroup_margin
    target = evidence.candidate.targets[:, output]
    group = np.array([evidence.groups.get(item, {}).get(attribute, "") for item in evidence.candidate.item_ids])
    rows = (target == 1) & np.isin(group, values)
    numbers = patient_numbers(
        [patient for patient, kept in zip(evidence.candidate.patients, rows, strict=True) if kept]
    )
    within = np.array([group[rows] == value for value in values], dtype=float)
    right = [
        one.probabilities[rows, output] >= evidence.thresholds[name][output]
        for one, name in ((evidence.candidate, "candidate"), (evidence.in_use, "in_use"))
    ]

    def statistic(weights: np.ndarray) -> np.ndarray:
        taken = weights[:, numbers]
        with np.errstate(invalid="ignore"):
            shares = [(taken * told) @ within.T / (taken @ within.T) for told in right]
        return np.asarray(np.ptp(shares[0], axis=1) - np.ptp(shares[1], axis=1))

    interval = bca(statistic, np.zeros(numbers.max() + 1, np.int64), alpha=asked.plan.alpha, seed=asked.seed)
    if not np.isfinite(interval.low):
        return None
    gap = Estimate(interval.value, interval.low, interval.high, 1 - 2 * asked.plan.alpha, int(numbers.max()) + 1)
    return gap, True if gap.value <= margin else False if gap.low > 0 else None
