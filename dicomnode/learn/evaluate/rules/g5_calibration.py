"""G5, calibration: a probability that is told means what it says.

By slope and Brier score with their intervals; by ECE only from 1,000 patients, since with fewer its own noise decides.
"""

from dicomnode.learn.evaluate.calibration import ECE_FROM, Recalibration, expected_error, recalibration
from dicomnode.learn.evaluate.compare import Difference, Figure, compare, estimate
from dicomnode.learn.evaluate.rules.asked import Asked, between, together
from dicomnode.learn.values import Estimate, RuleResult

RULE, VERSION = "G5", 1
SLOPE = (0.8, 1.2)
ECE_WORSE = 0.01
"""An ECE above the plan's limit is kept where the model in use has one that is worse, or better by at most this."""


def calibration(asked: Asked) -> RuleResult:
    """Whether the slope is right, the Brier score not worse than that of the model in use, and ECE small."""
    if asked.figure is not Figure.AUC:
        words = f"A {asked.evidence.kind} model tells no calibrated probability."
        return RuleResult(RULE, VERSION, None, words, applies=False)
    answers: list[bool | None] = []
    faults: list[str] = []
    figures: dict[str, Estimate | float | str] = {}
    for output in range(asked.evidence.candidate.targets.shape[1]):
        answer, fault = _judged(asked, output, figures)
        answers.append(answer)
        faults += [f"{asked.name(output)}: {one}" for one in fault]
    passed = together(answers)
    start = {True: "Probabilities mean what they say", False: "Probabilities are off", None: "It cannot be told"}[
        passed
    ]
    return RuleResult(RULE, VERSION, passed, f"{start}: {'; '.join(faults) or _summary(figures)}.", figures)


def _judged(
    asked: Asked, output: int, figures: dict[str, Estimate | float | str]
) -> tuple[bool | None, list[str]]:  # fmt: skip
    candidate, name = asked.evidence.candidate, asked.name(output)
    brier = compare(Figure.BRIER, candidate, asked.evidence.in_use, output, alpha=asked.plan.alpha, seed=asked.seed)
    own = estimate(Figure.BRIER, candidate, output, seed=asked.seed)
    if brier is None or own is None:
        return None, ["too few patients"]
    line = recalibration(candidate, output, alpha=asked.plan.alpha)
    figures |= {f"{name}: Brier score": own, f"{name}: Brier score, gain over the model in use": brier.figure}
    if line is not None:
        figures |= {f"{name}: slope": line.slope, f"{name}: intercept": line.intercept}
        figures |= {f"{name}: calibration in the large": line.in_the_large}
    faults = [*_slope(line), *_brier(brier), *_ece(asked, output, figures)]
    return not faults, faults


def _slope(line: Recalibration | None) -> list[str]:
    """No slope: one class alone, or classes parted without an error; the Brier score then judges alone."""
    if line is None:
        return []
    one = line.slope
    kept = one.low <= 1 <= one.high or SLOPE[0] <= one.value <= SLOPE[1]
    return [] if kept else [f"slope {between(one)}, which leaves out 1 and lies outside {SLOPE[0]} to {SLOPE[1]}"]


def _brier(found: Difference) -> list[str]:
    if found.figure.high >= 0:
        return []
    return [f"Brier score {found.one:.4f}, worse than the {found.other:.4f} of the model in use beyond chance"]


def _ece(asked: Asked, output: int, figures: dict[str, Estimate | float | str]) -> list[str]:
    mine = expected_error(asked.evidence.candidate, output)
    theirs = expected_error(asked.evidence.in_use, output)
    name = f"{asked.name(output)}: ECE"
    if mine is None or theirs is None:
        figures[name] = f"not judged with fewer than {ECE_FROM} patients"
        return []
    figures |= {name: mine, f"{name}, in use": theirs}
    kept = mine <= max(asked.plan.max_ece, theirs + ECE_WORSE)
    return [] if kept else [f"ECE {mine:.3f}, at most {asked.plan.max_ece:.3f} is allowed ({theirs:.3f} in use)"]


def _summary(figures: dict[str, Estimate | float | str]) -> str:
    told = [
        (name, one)
        for name, one in figures.items()
        if isinstance(one, Estimate) and name.endswith((": slope", "score"))
    ]
    return ", ".join(f"{name} {between(one)}" for name, one in told[:4])
