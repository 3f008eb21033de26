"""G4, retention: what older test sets showed is not forgotten.

Told in the three terms of the FDA's staff (Learning, Potential, Retention): learning is the gain over the model in use
on the sealed test, potential how the model in use does there beside the older set, retention the older set's change.
"""

from dicomnode.learn.evaluate.compare import Difference, compare, estimate, outputs
from dicomnode.learn.evaluate.rules.asked import Asked, not_worse, said, together
from dicomnode.learn.values import Answers, Estimate, RuleResult

RULE, VERSION = "G4", 1


def retention(asked: Asked) -> RuleResult:
    """Whether the change on every older set has its lower bound above -margin."""
    evidence, plan = asked.evidence, asked.plan
    if not evidence.retention:
        return RuleResult(RULE, VERSION, None, "There is no older test set yet.", applies=False)
    answers: list[bool | None] = []
    told: list[tuple[str, Difference]] = []
    figures: dict[str, Estimate | float | str] = _learning(asked)
    for name, (one, other) in evidence.retention.items():
        for output in range(outputs(one, asked.figure)):
            found = compare(asked.figure, one, other, output, alpha=plan.alpha, seed=asked.seed)
            answers.append(not_worse(found, plan.margin_retention, plan))
            if found is not None:
                place = f"{name}, {asked.name(output)}"
                told.append((place, found))
                figures |= {f"{place}: retention": found.figure} | _potential(asked, other, output, place)
    passed = together(answers)
    return RuleResult(RULE, VERSION, passed, _words(asked, passed, told), figures)


def _words(asked: Asked, passed: bool | None, told: list[tuple[str, Difference]]) -> str:
    if not told:
        return "The older test sets have too few patients to tell."
    place, worst = min(told, key=lambda one: one[1].figure.low)
    start = {True: "Nothing is forgotten", False: "Something is forgotten", None: "Too few older patients to tell"}[
        passed
    ]
    return f"{start}: on {place} {said(worst, asked.plan.margin_retention)}."


def _learning(asked: Asked) -> dict[str, Estimate | float | str]:
    """The last comparisons of G1 are those with the model in use, wherever it is not the baseline."""
    mine = {one.output: one.found for one in asked.compared}
    return {f"{asked.name(output)}: learning": found.figure for output, found in mine.items() if found is not None}


def _potential(asked: Asked, older: Answers, output: int, place: str) -> dict[str, Estimate | float | str]:
    """The model in use on the sealed test less on the older set: other patients, so that the variances add."""
    new = estimate(asked.figure, asked.evidence.in_use, output, seed=asked.seed)
    old = estimate(asked.figure, older, output, seed=asked.seed)
    if new is None or old is None:
        return {}
    down = ((new.value - new.low) ** 2 + (old.high - old.value) ** 2) ** 0.5
    up = ((new.high - new.value) ** 2 + (old.value - old.low) ** 2) ** 0.5
    value = new.value - old.value
    return {f"{place}: potential": Estimate(value, value - down, value + up, new.level, new.n + old.n)}
