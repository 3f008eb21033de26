"""The figures of the report, each from answers to a plot."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from dicomnode.learn.evaluate.calibration import reliability
from dicomnode.learn.paper import plain
from dicomnode.learn.paper.curves import Curve, free_response, precision_recall, roc
from dicomnode.learn.paper.svg import Plot, Tick, ticks
from dicomnode.learn.values import Answers, CurvePoint, Estimate, Evidence

SQUARE = (232.0, 226.0)
WIDE = (470.0, 210.0)
HALF = (330.0, 200.0)
ROW = 21.0
LOWEST, HIGHEST = 0.125, 8.0
"""False positives per image."""
FIFTHS = ticks(0, 1, 0.2)


def arms(evidence: Evidence) -> dict[str, Answers]:
    """The versions that are compared, by the name of their style, last drawn first; equal ones once."""
    found = {"local_only": evidence.local_only, "baseline": evidence.baseline, "in_use": evidence.in_use}
    if evidence.baseline.version == evidence.in_use.version:
        del found["baseline"]
    return {name: one for name, one in found.items() if one is not None} | {"candidate": evidence.candidate}


def roc_plot(evidence: Evidence, output: int) -> Markup | None:
    """ROC curves of every version, with the candidate's band."""
    curves = {name: roc(one, output) for name, one in arms(evidence).items()}
    return _curves(curves, "1 − specificity", "sensitivity", "ROC curves", diagonal=True)


def recall_plot(evidence: Evidence, output: int) -> Markup | None:
    """Precision-recall curves of every version, with the candidate's band."""
    curves = {name: precision_recall(one, output) for name, one in arms(evidence).items()}
    return _curves(curves, "sensitivity (recall)", "positive predictive value", "precision-recall curves")


def calibration_plot(evidence: Evidence, output: int) -> Markup | None:
    """Observed share against told probability, candidate and model in use."""
    plot = _square("told probability", "observed share", diagonal=True)
    for kind, answers in (("in_use", evidence.in_use), ("candidate", evidence.candidate)):
        points = reliability(answers, output)
        if not points or not answers.targets.size:
            return None
        plot.line([p.told for p in points], [p.observed.value for p in points], kind)
        for point in points:
            if kind == "candidate":
                plot.upright(point.told, point.observed.low, point.observed.high, f"{kind} thin")
            plot.point(point.told, point.observed.value, kind)
    return plot.markup("calibration: observed share of the finding against the probability that was told")


def froc_plot(evidence: Evidence) -> Markup | None:
    """FROC curves of every version, with the candidate's band."""
    plot = Plot(WIDE, (LOWEST, HIGHEST), (0.0, 1.0), log_x=True)
    rates: list[Tick] = [(2.0**n, f"1/{2**-n}" if n < 0 else str(2**n)) for n in range(-3, 4)]
    plot.axes(rates, FIFTHS, x_name="false positives per image", y_name="sensitivity")
    for kind, answers in arms(evidence).items():
        curve = free_response(answers)
        if curve is None:
            return None
        _draw(plot, _within(curve), kind)
    return plot.markup("FROC curves: sensitivity against false positives per image")


def dice_plot(evidence: Evidence, output: int) -> Markup | None:
    """Dice of every case: the candidate against the model in use."""
    ours, theirs = evidence.candidate.dice[:, output], evidence.in_use.dice[:, output]
    told = np.isfinite(ours) & np.isfinite(theirs)
    if not told.any():
        return None
    plot = _square("Dice of the model in use", "Dice of the candidate", diagonal=True)
    for x, y in zip(theirs[told].tolist(), ours[told].tolist(), strict=True):
        plot.point(x, y, "case")
    return plot.markup("Dice of each case: above the line the candidate is better")


def dice_spread(evidence: Evidence, output: int) -> Markup | None:
    """The distribution of Dice in every version: all cases in order, from worst to best."""
    plot = _square("cases, worst to best (%)", "Dice", x_ticks=ticks(0, 1, 0.25), percent=True)
    for kind, answers in arms(evidence).items():
        values = np.sort(answers.dice[:, output][np.isfinite(answers.dice[:, output])])
        if not len(values):
            return None
        plot.line(np.linspace(0, 1, len(values)).tolist(), values.tolist(), kind)
    return plot.markup("Dice of all cases in order, from the worst to the best")


@dataclass(frozen=True)
class Group:
    """One row of the forest plot."""

    name: str
    candidate: Estimate | None
    """None: insufficient data."""
    in_use: Estimate | None
    patients: int
    positives: int
    is_head: bool = False


def forest_plot(groups: Sequence[Group], overall: Estimate | None, figure: str) -> Markup:
    """Subgroups below one another, with the whole as a line."""
    told = [e for g in groups for e in (g.candidate, g.in_use) if e is not None and math.isfinite(e.low)]
    low = min([0.9, *(e.low for e in told)]) if told else 0.5
    low = math.floor(low * 10) / 10
    height = ROW * len(groups) + 48
    plot = Plot((660.0, height), (low, 1.0), (0.0, float(len(groups))), left=360.0)
    plot.axes(ticks(low, 1.0, 0.1 if low < 0.75 else 0.05), [], x_name=figure, y_name="")
    if overall is not None:
        plot.upright(overall.value, 0.0, float(len(groups)), "overall")
    for place, group in enumerate(groups):
        _forest_row(plot, group, len(groups) - place - 0.5)
    return plot.markup(f"{figure} of subgroups with 95 % intervals")


def learning_plot(curve: Sequence[CurvePoint], figure: str) -> Markup | None:
    """How good the recipe is with a part of the labels."""
    points = sorted((p for p in curve if math.isfinite(p.figure.value)), key=lambda p: p.patients)
    if not points:
        return None
    values = [v for p in points for v in (p.figure.value, p.figure.low, p.figure.high) if math.isfinite(v)]
    low, high = math.floor(min([*values, 0.95]) * 20) / 20, min(1.0, math.ceil(max(values) * 20 + 0.2) / 20)
    most = points[-1].patients
    plot = Plot(HALF, (0.0, most * 1.08), (low, max(high, low + 0.1)))
    x: list[Tick] = [(p.patients, str(p.patients)) for p in points]
    step = 0.05 if high - low <= 0.4 else 0.1
    plot.axes(x, ticks(low, max(high, low + 0.1), step), x_name="training patients", y_name=figure)
    plot.line([p.patients for p in points], [p.figure.value for p in points], "candidate")
    for point in points:
        plot.upright(point.patients, point.figure.low, point.figure.high, "candidate thin")
        plot.point(point.patients, point.figure.value, "candidate")
    return plot.markup(f"learning curve: {figure} with 25, 50 and 100 % of the training patients")


def loss_plot(history: Sequence[Mapping[str, object]]) -> Markup | None:
    """Loss of each epoch."""
    rows = [(float(n + 1), row.get("loss")) for n, row in enumerate(history)]
    told = [(epoch, float(loss)) for epoch, loss in rows if isinstance(loss, int | float) and math.isfinite(loss)]
    if len(told) < 2:
        return None
    top = max(loss for _, loss in told) * 1.05 or 1.0
    step = 10 ** math.floor(math.log10(top))
    step = step / 5 if top / step < 2 else step / 2 if top / step < 5 else step
    plot = Plot(WIDE, (1.0, told[-1][0]), (0.0, top))
    every = max(1, math.ceil(told[-1][0] / 10))
    plot.axes(ticks(1, told[-1][0], every), ticks(0, top, step), x_name="epoch", y_name="training loss")
    plot.line([epoch for epoch, _ in told], [loss for _, loss in told], "candidate")
    return plot.markup("training loss of each epoch")


def months_plot(months: Mapping[str, int]) -> Markup | None:
    """Patients by month."""
    if not months:
        return None
    top = max(months.values()) * 1.1
    plot = Plot((660.0, 120.0), (0.0, float(len(months))), (0.0, top))
    every = max(1, math.ceil(len(months) / 12))
    names: list[Tick] = [(n + 0.5, month) for n, month in enumerate(months) if n % every == 0]
    step = max(1, 10 ** math.floor(math.log10(max(top, 1))))
    step = step if top / step >= 2 else max(1, step // 2)
    plot.axes(names, ticks(0, top, step), x_name="newest study of the patient received in", y_name="patients")
    for n, count in enumerate(months.values()):
        plot.bar((n + 0.15, n + 0.85), float(count), "plain")
    return plot.markup("patients by the month of their newest study")


def _curves(
    curves: Mapping[str, Curve | None], x_name: str, y_name: str, told: str, *, diagonal: bool = False
) -> Markup | None:
    plot = _square(x_name, y_name, diagonal=diagonal)
    for kind, curve in curves.items():
        if curve is None:
            return None
        _draw(plot, curve, kind)
    return plot.markup(told)


def _draw(plot: Plot, curve: Curve, kind: str) -> None:
    if kind == "candidate":
        plot.band(curve.grid.tolist(), curve.low.tolist(), curve.high.tolist(), kind)
    plot.line(curve.x.tolist(), curve.y.tolist(), kind)


def _within(curve: Curve) -> Curve:
    """From the lowest rate that is shown to the highest, where the last sensitivity counts."""
    before, shown = curve.x <= LOWEST, (curve.x > LOWEST) & (curve.x <= HIGHEST)
    x = np.concatenate([[LOWEST], curve.x[shown], [HIGHEST]])
    y = np.concatenate([[curve.y[before].max()], curve.y[shown], [curve.y[curve.x <= HIGHEST].max()]])
    return replace(curve, x=x, y=y)


def _square(
    x_name: str, y_name: str, *, diagonal: bool = False, x_ticks: Sequence[Tick] = (), percent: bool = False
) -> Plot:
    plot = Plot(SQUARE, (0.0, 1.0), (0.0, 1.0))
    shown = [(at, f"{100 * at:.0f}") for at, _ in x_ticks] if percent else x_ticks or FIFTHS
    plot.axes(shown, FIFTHS, x_name=x_name, y_name=y_name)
    if diagonal:
        plot.line([0, 1], [0, 1], "chance")
    return plot


def _forest_row(plot: Plot, group: Group, y: float) -> None:
    plot.beside(0 if group.is_head else 12, y, group.name, "row head" if group.is_head else "row")
    if group.is_head:
        return
    plot.beside(218, y, plain.number(group.patients), "row end")
    plot.beside(264, y, plain.number(group.positives) if group.positives >= 0 else "", "row end")
    if group.candidate is None:
        plot.beside(352, y, "insufficient data", "end quiet")
        return
    plot.beside(352, y, plain.number(group.candidate.value), "row end")
    if group.in_use is not None:
        plot.level(y - 0.22, group.in_use.low, group.in_use.high, "in_use thin solid")
        plot.point(group.in_use.value, y - 0.22, "in_use small")
    plot.level(y + 0.12, group.candidate.low, group.candidate.high, "candidate thin")
    plot.point(group.candidate.value, y + 0.12, "candidate")
