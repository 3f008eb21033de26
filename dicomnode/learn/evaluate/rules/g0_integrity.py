"""G0, integrity: the candidate is what it says it is, and the comparison is one."""

import math

import numpy as np

from dicomnode.learn.evaluate.rules.asked import Asked, listed
from dicomnode.learn.values import Answers, Evidence, RecipeName, RuleResult

RULE, VERSION = "G0", 1

LIMITS = {
    "reload_logit_difference": 1e-4,
    "merge_relative_difference": 1e-5,
    "test_patients_trained_on": 0.0,
}
"""Largest value of a measured figure; any other figure is information, and any False is a failure."""

REQUIRED = {
    RecipeName.RECALIBRATE: (),
    RecipeName.HEAD: ("base_unchanged", "reload_logit_difference"),
    RecipeName.NORM: ("base_unchanged", "reload_logit_difference"),
    RecipeName.ADAPTER: ("base_unchanged", "reload_logit_difference"),
}
"""What must have been measured; of the recipes that change every weight: `reload_logit_difference`. A recalibration
has no file of its own: its logits are compared with the baseline's instead."""

SAME_LOGITS = 1e-4
ARRAYS = ("targets", "logits", "probabilities", "dice")


def integrity(asked: Asked) -> RuleResult:
    """Whether files, base and answers are whole."""
    evidence = asked.evidence
    faults = [*_measured(evidence), *_comparable(evidence)]
    faults = faults or [*_numbers(evidence), *_same(evidence), *_leaks(evidence)]
    words = (
        f"The candidate must not be used: {'; '.join(faults)}."
        if faults
        else "The candidate's files reproduce its answers, and its base is unchanged."
    )
    figures = {name: str(value) if _is_words(value) else value for name, value in evidence.integrity.items()}
    return RuleResult(RULE, VERSION, not faults, words, dict(figures))


def _measured(evidence: Evidence) -> list[str]:
    if evidence.recipe not in set(RecipeName):
        return [f"its recipe {evidence.recipe!r} is none that is known"]
    required = REQUIRED.get(RecipeName(evidence.recipe), ("reload_logit_difference",))
    faults = [f"{name} was not measured" for name in required if name not in evidence.integrity]
    for name, value in evidence.integrity.items():
        if value is False:
            faults.append(f"{name} failed")
        elif name in LIMITS and not _within(value, LIMITS[name]):
            faults.append(f"{name} is {value}, at most {LIMITS[name]:g} is allowed")
    return faults


def _is_words(value: float | bool | str) -> bool:
    return isinstance(value, bool | str) or not math.isfinite(value)


def _within(value: float | bool | str, limit: float) -> bool:
    return not isinstance(value, str) and math.isfinite(value) and value <= limit


def _comparable(evidence: Evidence) -> list[str]:
    """Answers on other items, or with other labels, are no comparison."""
    arms = {"candidate": evidence.candidate, "in use": evidence.in_use, "baseline": evidence.baseline}
    arms |= {"local only": evidence.local_only} if evidence.local_only else {}
    first = evidence.candidate
    faults = [
        f"{name} did not answer the same items with the same labels"
        for name, one in arms.items()
        if not _same_items(first, one)
    ]
    faults += [
        f"the two versions did not answer the same items of {name}"
        for name, (one, other) in evidence.retention.items()
        if not _same_items(one, other)
    ]
    if not first.item_ids:
        faults.append("the sealed test set is empty")
    wanted = 1 if first.hits else first.targets.shape[1]
    return faults + [
        f"the {name.replace('_', ' ')} model has no decision threshold for every output"
        for name in ("candidate", "in_use")
        if len(evidence.thresholds.get(name, ())) < wanted
    ]


def _same_items(one: Answers, other: Answers) -> bool:
    names = one.item_ids == other.item_ids and one.patients == other.patients and one.lesions == other.lesions
    shapes = all(getattr(one, table).shape == getattr(other, table).shape for table in ARRAYS)
    counts = all(len(table) in (0, len(one.item_ids)) for table in (one.targets, one.dice, one.hits, one.lesions))
    return names and shapes and counts and np.array_equal(one.targets, other.targets, equal_nan=True)


def _numbers(evidence: Evidence) -> list[str]:
    """Answers that are no numbers."""
    arms = {"the candidate": evidence.candidate, "the model in use": evidence.in_use}
    arms |= {"the approved baseline": evidence.baseline, "the candidate on the calibration split": evidence.calibration}
    for name, pair in evidence.retention.items():
        arms |= {f"the candidate on {name}": pair[0], f"the model in use on {name}": pair[1]}
    return [f"{name} gave no number for {count} items" for name, one in arms.items() if (count := _wrong(one))]


def _wrong(answers: Answers) -> int:
    with np.errstate(invalid="ignore"):
        outside = ~np.isfinite(answers.probabilities) | (answers.probabilities < 0) | (answers.probabilities > 1)
        wrong = outside.any(axis=1) | ~np.isfinite(answers.logits).all(axis=1) if answers.logits.size else np.zeros(1)
        dice = np.isinf(answers.dice) | (answers.dice < 0) | (answers.dice > 1)
    scores = sum(any(not math.isfinite(score) for score, _ in item) for item in answers.hits)
    return int(wrong.sum()) + int(dice.any(axis=1).sum() if dice.size else 0) + scores


def _same(evidence: Evidence) -> list[str]:
    """One version cannot answer in two ways, and a recalibration ranks as its base does."""
    same = [one for one in (evidence.in_use, evidence.baseline) if one.version == evidence.candidate.version]
    faults = [f"version {one.version[:16]} answered in two ways" for one in same if _apart(evidence.candidate, one)]
    if evidence.recipe == RecipeName.RECALIBRATE and _apart(evidence.candidate, evidence.baseline):
        faults.append("it is called a recalibration, and its answers are not those of the approved baseline")
    return faults


def _apart(one: Answers, other: Answers) -> bool:
    if one.logits.size:
        return bool(np.abs(one.logits - other.logits).max() > SAME_LOGITS)
    return one.hits != other.hits or not np.allclose(one.dice, other.dice, atol=SAME_LOGITS, equal_nan=True)


def _leaks(evidence: Evidence) -> list[str]:
    """A patient of the sealed test that something was fitted on proves nothing."""
    shared = set(evidence.candidate.patients) & set(evidence.calibration.patients)
    items = set(evidence.candidate.item_ids) & set(evidence.calibration.item_ids)
    faults = [f"{len(shared)} patients are in the sealed test and in the calibration split"] if shared else []
    if items - {
        i for i, p in zip(evidence.candidate.item_ids, evidence.candidate.patients, strict=True) if p in shared
    }:
        faults.append(f"images of the sealed test are in the calibration split: {listed(sorted(items))}")
    return faults
