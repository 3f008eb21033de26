"""The figures that the report states of each version: for every output an estimate, a point, subgroups."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dicomnode.learn.evaluate.calibration import recalibration
from dicomnode.learn.evaluate.clusters import chosen
from dicomnode.learn.evaluate.compare import KIND_FIGURE, Figure, compare, estimate, outputs
from dicomnode.learn.evaluate.subgroups import ATTRIBUTES, FEWEST, counted
from dicomnode.learn.paper import plain
from dicomnode.learn.paper.curves import Point, at_threshold, precision_recall
from dicomnode.learn.paper.figures import Group, arms
from dicomnode.learn.paper.wording import ARMS, FIGURES, LOCAL_IS_BETTER, OWN
from dicomnode.learn.values import Answers, Estimate, Evidence


@dataclass(frozen=True)
class Line:
    """One version in the table of key figures."""

    arm: str
    what: str
    kind: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Cases:
    """Dice of one version's cases in one segment."""

    name: str
    cases: int
    median: str
    quartiles: str
    worst: str
    missed: int
    """Cases with Dice 0: drawn where there is nothing, or nothing drawn."""


@dataclass(frozen=True)
class Confusion:
    """A version at its decision threshold."""

    name: str
    point: Point
    rows: tuple[tuple[str, str], ...]


def figure_of(evidence: Evidence) -> Figure:
    """The kind's own figure."""
    return KIND_FIGURE[evidence.kind]


def key_columns(evidence: Evidence) -> tuple[str, ...]:
    """What the table of key figures tells."""
    main = FIGURES[figure_of(evidence).value]
    more = ("Average precision", "Brier score") if figure_of(evidence) is Figure.AUC else ()
    return (main, "Candidate minus this", *more)


def key_lines(evidence: Evidence, output: int) -> tuple[Line, ...]:
    """Every version with its figures; a version that is missing is said to be."""
    figure, compared = figure_of(evidence), arms(evidence)
    blank = ("",) * (len(key_columns(evidence)) - 1)
    missing = {
        "baseline": Line("Approved baseline", "is the model in use", "baseline", ("same as above", *blank)),
        "local_only": Line(ARMS["local_only"][0], "was not trained", "local_only", ("not measured", *blank)),
    }
    return tuple(
        Line(*_arm(evidence, kind), kind, _cells(evidence, figure, compared[kind], output))
        if kind in compared
        else missing[kind]
        for kind in ARMS
    )


def _arm(evidence: Evidence, kind: str) -> tuple[str, str]:
    name, words = ARMS[kind]
    return name, OWN.get(evidence.recipe, words) if kind == "candidate" else words


def local_words(evidence: Evidence, output: int) -> str:
    """That the base helps nothing here, where local data alone did better; else nothing."""
    if evidence.local_only is None or evidence.recipe in OWN:
        return ""
    found = compare(figure_of(evidence), evidence.local_only, evidence.candidate, output)
    if found is None or found.figure.low <= 0:
        return ""
    return LOCAL_IS_BETTER.format(figure=FIGURES[figure_of(evidence).value], gain=plain.estimate(found.figure))


def main_estimate(evidence: Evidence, answers: Answers, output: int) -> Estimate | None:
    """The kind's own figure of one version."""
    return estimate(figure_of(evidence), answers, output) if outputs(answers, figure_of(evidence)) > output else None


def confusions(evidence: Evidence, output: int) -> tuple[Confusion, ...]:
    """Candidate and model in use, each at its own threshold."""
    found = []
    for kind, answers in (("candidate", evidence.candidate), ("in_use", evidence.in_use)):
        thresholds = evidence.thresholds.get(kind, ())
        if output < len(thresholds) and output < answers.targets.shape[-1]:
            point = at_threshold(answers, output, thresholds[output])
            told = (
                ("Sensitivity", point.sensitivity), ("Specificity", point.specificity),
                ("Positive predictive value", point.ppv), ("Negative predictive value", point.npv),
            )  # fmt: skip
            rows = tuple((name, plain.estimate(value)) for name, value in told)
            found.append(Confusion(ARMS[kind][0], point, rows))
    return tuple(found)


def calibrations(evidence: Evidence, output: int) -> tuple[tuple[str, ...], ...]:
    """Name, slope, intercept and Brier score of candidate and model in use."""
    rows = []
    for kind, answers in (("candidate", evidence.candidate), ("in_use", evidence.in_use)):
        found = recalibration(answers, output)
        brier = plain.estimate(estimate(Figure.BRIER, told(answers, output), output))
        slope, large = (found.slope, found.in_the_large) if found else (None, None)
        rows.append((ARMS[kind][0], plain.estimate(slope), plain.estimate(large), brier))
    return tuple(rows)


def dice_table(evidence: Evidence, output: int) -> tuple[Cases, ...]:
    """Dice of every version's cases."""
    rows = []
    for kind, answers in reversed(arms(evidence).items()):
        values = answers.dice[:, output][np.isfinite(answers.dice[:, output])]
        if len(values):
            low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
            quartiles, missed = f"{plain.number(low)} to {plain.number(high)}", int(np.sum(values == 0))
            worst = plain.number(float(values.min()))
            rows.append(Cases(ARMS[kind][0], len(values), plain.number(median), quartiles, worst, missed))
    return tuple(rows)


def subgroups(evidence: Evidence, output: int) -> tuple[Group, ...]:
    """Every value of every group, those with too few patients as such."""
    names = sorted({name for groups in evidence.groups.values() for name in groups}, key=_place)
    return tuple(group for name in names for group in _values(evidence, output, name))


def told(answers: Answers, output: int) -> Answers:
    """The answers on items whose finding is known."""
    return chosen(answers, ~np.isnan(answers.targets[:, output])) if answers.targets.size else answers


def _cells(evidence: Evidence, figure: Figure, answers: Answers, output: int) -> tuple[str, ...]:
    cells = [plain.estimate(estimate(figure, answers, output))]
    if answers is evidence.candidate:
        cells.append("")
    else:
        found = compare(figure, evidence.candidate, answers, output)
        cells.append(plain.estimate(found.figure if found else None))
    if figure is Figure.AUC:
        curve = precision_recall(answers, output)
        brier = estimate(Figure.BRIER, told(answers, output), output)
        cells += [plain.estimate(curve.area if curve else None), plain.estimate(brier)]
    return tuple(cells)


def _values(evidence: Evidence, output: int, name: str) -> Iterator[Group]:
    answers = evidence.candidate
    of_item = np.asarray([evidence.groups.get(item, {}).get(name) or "not told" for item in answers.item_ids])
    yield Group(plain.words(name), None, None, 0, 0, is_head=True)
    for value in sorted(set(of_item.tolist())):
        rows = of_item == value
        part = chosen(answers, rows)
        patients, positives, enough = _counts(evidence, part, output)
        both = (part, chosen(evidence.in_use, rows)) if enough else ()
        figures = [main_estimate(evidence, one, output) for one in both] or [None, None]
        yield Group(str(value), figures[0], figures[1], patients, positives)


def _counts(evidence: Evidence, part: Answers, output: int) -> tuple[int, int, bool]:
    """Patients, those with the finding (-1: nothing to count), and whether they are enough for a figure."""
    figure, patients = figure_of(evidence), len(set(part.patients))
    positives, negatives = counted(part, figure, output)
    enough = positives >= FEWEST and (figure is not Figure.AUC or negatives >= FEWEST)
    return patients, -1 if figure is Figure.DICE else positives, enough


def _place(name: str) -> tuple[int, str]:
    return (ATTRIBUTES.index(name) if name in ATTRIBUTES else len(ATTRIBUTES), name)
