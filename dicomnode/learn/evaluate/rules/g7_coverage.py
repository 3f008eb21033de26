"""G7, uncertainty: prediction sets fitted on the calibration split cover each class of the sealed test as promised."""

from dicomnode.learn.evaluate.calibration import column
from dicomnode.learn.evaluate.compare import Figure
from dicomnode.learn.evaluate.conformal import CLASSES, Coverage, coverages, fewest, one_each, prediction_sets
from dicomnode.learn.evaluate.rules.asked import Asked
from dicomnode.learn.values import Estimate, RuleResult

RULE, VERSION = "G7", 1
LEVEL = 0.95
"""Of the band, for all classes of all findings together."""
CALLED = {0: "absent", 1: "present"}


def coverage(asked: Asked) -> RuleResult:
    """Whether each class is covered within the band, and not too many answers are "not sure"."""
    if asked.figure is not Figure.AUC:
        words = f"Prediction sets are not made for a {asked.evidence.kind} model."
        return RuleResult(RULE, VERSION, None, words, applies=False)
    count = asked.evidence.candidate.targets.shape[1]
    level = 1 - (1 - LEVEL) / (count * len(CLASSES))
    figures: dict[str, Estimate | float | str] = {}
    faults: list[str] = []
    few: list[str] = []
    for output in range(count):
        told, abstention = _told(asked, output, level)
        few += [asked.name(output)] if len(told) < len(CLASSES) else []
        figures |= {f"{asked.name(output)}: abstention": abstention} | _figures(asked, output, told, level)
        faults += [_fault(asked, output, one) for one in told if not one.kept]
        if abstention > asked.plan.max_abstention:
            faults.append(
                f"{asked.name(output)} is not sure in {abstention:.0%}, {asked.plan.max_abstention:.0%} allowed"
            )
    if faults:
        return RuleResult(
            RULE, VERSION, False, f"Prediction sets do not keep their promise: {'; '.join(faults)}.", figures
        )
    if few:
        words = f"Too few patients to promise a coverage of {asked.plan.coverage:.0%} in both classes: {few[0]}."
        return RuleResult(RULE, VERSION, None, words, figures)
    words = f"Prediction sets cover each class as promised ({asked.plan.coverage:.0%}), and few answers are unsure."
    return RuleResult(RULE, VERSION, True, words, figures)


def _told(asked: Asked, output: int, level: float) -> tuple[tuple[Coverage, ...], float]:
    fitted, answered, promised = asked.evidence.calibration, asked.evidence.candidate, asked.plan.coverage
    targets, told = one_each(fitted, output)
    asked_targets, asked_told = one_each(answered, output)
    found = coverages(prediction_sets(targets, told, asked_told, promised), asked_targets, promised, level=level)
    every = column(answered, output)[1]
    unsure = prediction_sets(targets, told, every, promised).abstention if len(every) else 1.0
    return tuple(one for one in found if one.items >= fewest(promised)), unsure


def _figures(
    asked: Asked, output: int, told: tuple[Coverage, ...], level: float
) -> dict[str, Estimate | float | str]:  # fmt: skip
    """The interval is the band that the promise allows."""
    return {
        f"{asked.name(output)} {CALLED[one.label]}: coverage, and the band of the promise":
            Estimate(one.covered, *one.band, level, one.items)
        for one in told
    }  # fmt: skip


def _fault(asked: Asked, output: int, one: Coverage) -> str:
    more = "more" if one.covered > one.band[1] else "less"
    return (
        f"{asked.name(output)} {CALLED[one.label]} is covered in {one.covered:.0%}, {more} than chance allows "
        f"({one.band[0]:.0%} to {one.band[1]:.0%})"
    )
