"""The gate: nine rules, and what follows of them.

    G0 whole? G1 not worse? G2 better? G3 safe? G4 nothing forgotten? G5 calibrated? G6 fair? G7 sure? G8 enough?

G0 fails, or the data speak against G1, G3, G4 or G6: REJECT. Too few patients to tell one of those, or a test without
power: UNDERPOWERED. No benefit proven, or probabilities and prediction sets that do not keep their word: SHADOW. All
hold: PROMOTE. A candidate with a warning can end only as SHADOW or UNDERPOWERED, or be rejected by G0.
"""

from collections.abc import Callable
from dataclasses import replace

from dicomnode.config.learning import GatePlan
from dicomnode.learn.evaluate.clusters import chosen, copies_joined, first_of_each
from dicomnode.learn.evaluate.ledger import alpha_of
from dicomnode.learn.evaluate.rules.asked import Asked
from dicomnode.learn.evaluate.rules.g0_integrity import integrity
from dicomnode.learn.evaluate.rules.g1_not_worse import comparisons, non_inferiority
from dicomnode.learn.evaluate.rules.g2_benefit import benefit
from dicomnode.learn.evaluate.rules.g3_safety import safety
from dicomnode.learn.evaluate.rules.g4_retention import retention
from dicomnode.learn.evaluate.rules.g5_calibration import calibration
from dicomnode.learn.evaluate.rules.g6_subgroups import subgroup
from dicomnode.learn.evaluate.rules.g7_coverage import coverage
from dicomnode.learn.evaluate.rules.g8_power import enough
from dicomnode.learn.values import Answers, Evidence, Judgement, RuleResult, Verdict

Rule = Callable[[Asked], RuleResult]
RULES: dict[str, Rule] = {
    "G1": non_inferiority, "G2": benefit, "G3": safety, "G4": retention, "G5": calibration, "G6": subgroup,
    "G7": coverage, "G8": enough,
}  # fmt: skip

HARM = ("G1", "G3", "G4", "G6")
"""Where the data speak against one of these, the candidate is rejected."""
MUST_TELL = ("G1", "G3", "G4")
"""Where one of these cannot be told, there were too few patients. Small groups (G6) are reported, and never passed."""


def judge(plan: GatePlan, evidence: Evidence, look: int, *, seed: int) -> Judgement:
    """Judge a candidate by evidence from one look at its sealed test.

    Args:
        plan: fixed before there was a candidate.
        evidence: all answers and measurements.
        look: number of the look, from 1, as the ledger gave it.
        seed: of every resampling; the same evidence gets the same judgement.

    Returns:
        verdict with every rule; rules that need answers are left out where G0 finds that there are none to compare.
    """
    alpha = alpha_of(look, plan.alpha)
    asked = Asked(plan, evidence, alpha, seed)
    whole = integrity(asked)
    if not whole.passed:
        return Judgement(Verdict.REJECT, (whole, *_not_asked()), whole.words, look, alpha)
    asked = replace(asked, evidence=_each_patient_once(evidence))
    asked = replace(asked, compared=comparisons(asked))
    rules = (whole, *(rule(asked) for rule in RULES.values()))
    verdict, words = _verdict({rule.rule: rule for rule in rules}, evidence.warnings)
    return Judgement(verdict, rules, words, look, alpha)


def _verdict(rules: dict[str, RuleResult], warnings: tuple[str, ...]) -> tuple[Verdict, str]:
    harmed = [name for name in HARM if rules[name].passed is False]
    untold = [name for name in MUST_TELL if rules[name].passed is None and rules[name].applies]
    untold += [] if rules["G8"].passed else ["G8"]
    unproven = [name for name in ("G2", "G5", "G7") if rules[name].applies and not rules[name].passed]
    if harmed and not warnings:
        return Verdict.REJECT, _said("The candidate is rejected.", rules, harmed)
    if harmed or untold:
        words = _said("Too few patients for a verdict.", rules, [*harmed, *untold])
        return Verdict.UNDERPOWERED, " ".join((words, *_warned(warnings)))
    if unproven or warnings:
        start = "Nothing speaks against the candidate, and it is not ready to be promoted."
        return Verdict.SHADOW, " ".join((_said(start, rules, unproven), *_warned(warnings)))
    start = "Every rule holds: after its shadow period a named person may promote the candidate."
    return Verdict.PROMOTE, _said(start, rules, ["G2"])


def _said(start: str, rules: dict[str, RuleResult], names: list[str]) -> str:
    return " ".join((start, *(f"{name}: {rules[name].words}" for name in names)))


def _warned(warnings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{warning[:1].upper()}{warning[1:].rstrip('.')}." for warning in warnings)


def _not_asked() -> tuple[RuleResult, ...]:
    words = "Not looked at, since the candidate is not whole (G0)."
    return tuple(RuleResult(name, 1, None, words) for name in RULES)


def _each_patient_once(evidence: Evidence) -> Evidence:
    """Images that came in twice count once, and patients who share one count as one."""
    patients = copies_joined((evidence.candidate, evidence.in_use, evidence.baseline))
    kept = first_of_each(evidence.candidate)

    def once(answers: Answers) -> Answers:
        return chosen(replace(answers, patients=patients), kept)

    return replace(
        evidence,
        candidate=once(evidence.candidate),
        in_use=once(evidence.in_use),
        baseline=once(evidence.baseline),
        local_only=once(evidence.local_only) if evidence.local_only else None,
        retention={name: _older(pair) for name, pair in evidence.retention.items()},
    )


def _older(pair: tuple[Answers, Answers]) -> tuple[Answers, Answers]:
    patients, kept = copies_joined(pair), first_of_each(pair[0])
    one, other = (chosen(replace(answers, patients=patients), kept) for answers in pair)
    return one, other
