"""G1, non-inferiority: not worse than the approved baseline, nor than the model in use, by more than the margin.

Every finding must pass against both: an intersection-union test, which needs no correction. The baseline never moves,
so that many small losses cannot add up.
"""

import numpy as np

from dicomnode.learn.evaluate.clusters import chosen
from dicomnode.learn.evaluate.compare import NAMES, compare, estimate, outputs
from dicomnode.learn.evaluate.rules.asked import PEOPLE, Against, Asked, not_worse, said, together
from dicomnode.learn.values import Estimate, RuleResult

RULE, VERSION = "G1", 1


def comparisons(asked: Asked) -> tuple[Against, ...]:
    """The candidate against both, on every output; once where they are one version."""
    evidence = asked.evidence
    same = evidence.in_use.version == evidence.baseline.version
    references = {"the approved baseline, which is in use": evidence.baseline} if same else {
        PEOPLE["baseline"]: evidence.baseline, PEOPLE["in_use"]: evidence.in_use,
    }  # fmt: skip
    return tuple(
        Against(
            output, who, compare(asked.figure, evidence.candidate, other, output, alpha=asked.alpha, seed=asked.seed)
        )
        for who, other in references.items()
        for output in range(outputs(evidence.candidate, asked.figure))
    )


def non_inferiority(asked: Asked) -> RuleResult:
    """Whether every comparison's lower bound is above -margin."""
    passed = together(not_worse(one.found, asked.margin, asked.plan) for one in asked.compared)
    figures: dict[str, Estimate | float | str] = {}
    for one in asked.compared:
        if one.found is not None:
            figures[f"{asked.name(one.output)}: less {one.reference}"] = one.found.figure
            figures[f"{asked.name(one.output)}: method"] = one.found.method
    figures |= _of_each(asked) | _temporal(asked)
    return RuleResult(RULE, VERSION, passed, _words(asked, passed), figures)


def _words(asked: Asked, passed: bool | None) -> str:
    silent = [one for one in asked.compared if one.found is None]
    if silent:
        return (
            f"It cannot be told for {asked.name(silent[0].output)}: "
            "the sealed test has fewer than two patients with it, or fewer than two without."
        )
    worst = min(asked.compared, key=lambda one: one.found.figure.low if one.found else 0.0)
    assert worst.found is not None
    start = {True: "Not worse than", False: "It may be worse than", None: "Too few patients to tell, against"}[passed]
    many = len({one.output for one in asked.compared})
    where = f" (of {many} outputs {asked.name(worst.output)} is the least sure)" if many > 1 else ""
    who = (
        worst.reference if passed is not True else " and ".join(dict.fromkeys(one.reference for one in asked.compared))
    )
    return f"{start} {who}: {NAMES[asked.figure]} {said(worst.found, asked.margin)}{where}."


def _of_each(asked: Asked) -> dict[str, Estimate | float | str]:
    """The figure of each version with its own 95 % interval."""
    evidence = asked.evidence
    arms = {"candidate": evidence.candidate, "in use": evidence.in_use, "baseline": evidence.baseline}
    found: dict[str, Estimate | float | str] = {}
    for output in range(outputs(evidence.candidate, asked.figure)):
        for name, one in arms.items():
            told = estimate(asked.figure, one, output, seed=asked.seed)
            if told is not None:
                found[f"{asked.name(output)}: {NAMES[asked.figure]} of {name}"] = told
    return found


def _temporal(asked: Asked) -> dict[str, Estimate | float | str]:
    """The newest quarter of the sealed test, told and not judged: it is too small for that."""
    evidence = asked.evidence
    newest = np.isin(np.asarray(evidence.candidate.item_ids), np.asarray(evidence.temporal, dtype=str))
    found: dict[str, Estimate | float | str] = {}
    if not newest.any():
        return found
    for output in range(outputs(evidence.candidate, asked.figure)):
        one, other = chosen(evidence.candidate, newest), chosen(evidence.baseline, newest)
        told = compare(asked.figure, one, other, output, seed=asked.seed)
        if told is not None:
            found[f"{asked.name(output)}: newest quarter, less the baseline"] = told.figure
    return found
