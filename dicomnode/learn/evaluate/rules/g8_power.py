"""G8, power: an equal candidate would have been proven not worse; else a pass was luck, and a failure says nothing."""

from dicomnode.learn.evaluate.compare import Figure, outputs
from dicomnode.learn.evaluate.power import joint_power, patients_needed, power
from dicomnode.learn.evaluate.rules.asked import Asked
from dicomnode.learn.evaluate.subgroups import counted
from dicomnode.learn.values import Estimate, RuleResult

RULE, VERSION = "G8", 1

FEWEST = {Figure.AUC: 30, Figure.FROC: 30, Figure.DICE: 10}
"""Patients (of an AUC: with the finding, and without; of a FROC: with a lesion) below which no test has power: its own
variance is not known well enough to say so."""


def enough(asked: Asked) -> RuleResult:
    """Whether the planned test of G1, all its comparisons together, had the wanted power at this look's alpha."""
    plan, found = asked.plan, [one for one in asked.compared if one.found is not None]
    every = [one.found for one in found if one.found is not None]
    few = _too_few(asked)
    figures: dict[str, Estimate | float | str] = {"wanted power": plan.min_power, "alpha of this look": asked.alpha}
    if few or len(every) < len(asked.compared):
        return RuleResult(RULE, VERSION, False, few or "Not every comparison can be made: too few patients.", figures)
    whole = joint_power(every, asked.margin, seed=asked.seed)
    needed = max(patients_needed(one, asked.margin, plan.min_power) for one in every)
    figures |= {"power": whole, "patients needed, about": float(needed)}
    for one, told in zip(found, every, strict=True):
        name = f"{asked.name(one.output)}: power against {one.reference}"
        figures[name] = power(told.se, asked.margin, told.reach)
    patients = max(one.figure.n for one in every)
    words = f"With {patients} patients an equal candidate would be proven not worse in {whole:.0%} of cases"
    if whole >= plan.min_power:
        return RuleResult(RULE, VERSION, True, f"{words}; {plan.min_power:.0%} were wanted.", figures)
    more = f": about {needed} patients of the same mix are needed" if needed else ", all outputs taken together"
    return RuleResult(RULE, VERSION, False, f"{words}, and {plan.min_power:.0%} were wanted{more}.", figures)


def _too_few(asked: Asked) -> str:
    fewest = FEWEST[asked.figure]
    for output in range(outputs(asked.evidence.candidate, asked.figure)):
        counts = counted(asked.evidence.candidate, asked.figure, output)
        least = min(counts) if asked.figure is Figure.AUC else counts[0]
        if least < fewest:
            kinds = ("patients with it", "patients without") if asked.figure is Figure.AUC else ("patients",)
            told = " and ".join(f"{count} {kind}" for count, kind in zip(counts, kinds, strict=False))
            return f"The sealed test has {told} for {asked.name(output)}; at least {fewest} of each are needed."
    return ""
