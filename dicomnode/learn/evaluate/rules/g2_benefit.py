"""G2, benefit: better than the model in use in the aim that was declared before."""

from dicomnode.learn.evaluate.compare import NAMES, Figure, compare, outputs
from dicomnode.learn.evaluate.rules.asked import Asked
from dicomnode.learn.values import Estimate, RecipeName, RuleResult

RULE, VERSION = "G2", 1


def benefit(asked: Asked) -> RuleResult:
    """Whether at least one output is proven better, at this look's alpha shared among the outputs (Bonferroni).

    For "at least one" that is what Holm's procedure gives. A recalibration needs no benefit: it changes no ranking, and
    G3 and G5 judge what it does change.
    """
    if asked.evidence.recipe == RecipeName.RECALIBRATE:
        words = "A recalibration changes no ranking of patients: no benefit need be proven."
        return RuleResult(RULE, VERSION, True, words)
    aim = asked.figure if asked.plan.benefit == "auto" else Figure(asked.plan.benefit)
    if aim not in (asked.figure, Figure.BRIER) or (aim is Figure.BRIER and asked.figure is not Figure.AUC):
        words = (
            f"The plan asks for a better {NAMES[aim]}, which a {asked.evidence.kind} model has not: change the plan."
        )
        return RuleResult(RULE, VERSION, False, words)
    return _judged(asked, aim)


def _judged(asked: Asked, aim: Figure) -> RuleResult:
    count = outputs(asked.evidence.candidate, aim)
    one, other, figures = asked.evidence.candidate, asked.evidence.in_use, dict[str, Estimate | float | str]()
    for output in range(count):
        found = compare(aim, one, other, output, alpha=asked.alpha / count, seed=asked.seed)
        if found is not None:
            figures[asked.name(output)] = found.figure
    told = {name: figure for name, figure in figures.items() if isinstance(figure, Estimate)}
    better = {name: figure for name, figure in told.items() if figure.low > 0}
    if not told:
        return RuleResult(RULE, VERSION, None, f"{NAMES[aim]} cannot be compared: too few patients.", figures)
    best = max(better or told, key=lambda name: told[name].low)
    start = "Better than the model in use" if better else "No benefit over the model in use is proven"
    gain, where = told[best], f" ({best})" if count > 1 else ""
    turned = " (a gain is a fall)" if aim is Figure.BRIER else ""
    words = f"{start}: gain in {NAMES[aim]}{where} {gain.value:+.3f}, at worst {gain.low:+.3f}{turned}."
    return RuleResult(RULE, VERSION, bool(better), words, figures)
