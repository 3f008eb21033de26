"""The report on a candidate: one self-contained, printable HTML file, without scripts or links."""

import base64
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from dicomnode.learn.evaluate.compare import Figure, outputs
from dicomnode.learn.evaluate.subgroups import FEWEST
from dicomnode.learn.paper import change, figures, measured, plain, wording
from dicomnode.learn.paper.told import Told
from dicomnode.learn.values import Split, Verdict

HERE = "dicomnode.learn.paper"


def html(told: Told) -> str:
    """The report. Equal things told give the same bytes."""
    verdict = _verdict(told)
    names = {"name": told.card.name, "version": told.version or "VERSION", "shadow": told.shadow}
    return _template().render(
        told=told,
        style=Markup(_read("report.css")),  # noqa: S704 - ours
        said=replace(verdict, meaning=verdict.meaning.format(**names)),
        todo=[line.format(**names) for line in verdict.todo],
        made=plain.day(told.made_s or time.time(), with_time=True),
        facts=[(name, value) for name, value in told.facts.items() if value],
        parts=[_part(told, output) for output in range(_outputs(told))],
        key_columns=measured.key_columns(told.evidence),
        froc=figures.froc_plot(told.evidence) if told.evidence.kind == "detection" else None,
        learning=_learning(told),
        rules=list(change.rules(told)),
        tried=_tried(told),
        gallery=[(*said, _pictures(told, role)) for role, said in wording.ROLES[told.evidence.kind].items()],
        data=_data(told),
        change=change,
        plain=plain,
        arms=[(kind, *wording.ARMS[kind]) for kind in reversed(figures.arms(told.evidence))],
        boxes=wording.DECISIONS[told.judgement.verdict],
        figure=wording.FIGURES[measured.figure_of(told.evidence).value],
        enough=FEWEST,
        tested=len(set(told.evidence.candidate.patients)),
    )


def _verdict(told: Told) -> wording.Said:
    verdict = told.judgement.verdict
    if verdict is Verdict.PROMOTE and told.automatic:
        return wording.BY_ITSELF
    proven = any(rule.rule == "G2" and rule.passed for rule in told.judgement.rules)
    if verdict is Verdict.SHADOW and proven and told.evidence.warnings:
        return wording.MADE_OF_TOO_FEW
    return wording.VERDICTS[verdict]


def _outputs(told: Told) -> int:
    """A version that answered nothing at all has no output to tell of."""
    return (
        outputs(told.evidence.candidate, measured.figure_of(told.evidence)) if told.evidence.candidate.item_ids else 0
    )


def _part(told: Told, output: int) -> dict[str, object]:
    """All about one finding or segment."""
    evidence, figure = told.evidence, measured.figure_of(told.evidence)
    name = told.card.outputs[output] if output < len(told.card.outputs) else f"output {output + 1}"
    groups = measured.subgroups(evidence, output)
    overall = measured.main_estimate(evidence, evidence.candidate, output)
    forest = figures.forest_plot(groups, overall, wording.FIGURES[figure.value]) if groups else None
    part: dict[str, object] = {
        "name": "all findings" if figure is Figure.FROC else name,
        "lines": measured.key_lines(evidence, output),
        "local": measured.local_words(evidence, output),
        "forest": forest,
    }
    if figure is Figure.AUC:
        part |= {
            "roc": figures.roc_plot(evidence, output),
            "recall": figures.recall_plot(evidence, output),
            "reliability": figures.calibration_plot(evidence, output),
            "calibrations": measured.calibrations(evidence, output),
            "confusions": measured.confusions(evidence, output),
        }
    if figure is Figure.DICE:
        part |= {
            "cases": figures.dice_plot(evidence, output),
            "spread": figures.dice_spread(evidence, output),
            "dice": measured.dice_table(evidence, output),
        }
    return part


def _learning(told: Told) -> dict[str, object]:
    evidence = told.evidence
    name = wording.FIGURES[measured.figure_of(evidence).value]
    rows = [(plain.percent(p.share), plain.number(p.patients), plain.estimate(p.figure)) for p in evidence.curve]
    return {"plot": figures.learning_plot(evidence.curve, name), "rows": rows}


def _tried(told: Told) -> dict[str, object]:
    """Recipe, settings, every trial and the course of the loss."""
    fitted = told.fitted
    nested = ("trials", "history", "cv", "calibration", "versions", "integrity", "warnings")
    told_of = [(name, value) for name, value in fitted.items() if name not in nested and value not in (None, "", [])]
    settings = [(plain.words(name), str(value) if name == "seed" else _value(value)) for name, value in told_of]
    history = fitted.get("history")
    rows = [row for row in history if isinstance(row, Mapping)] if isinstance(history, list) else []
    versions = fitted.get("versions")
    return {
        "settings": settings,
        "trials": _table(fitted.get("trials")),
        "cv": _table([{"recipe": name, **_flat(row)} for name, row in _mapping(fitted.get("cv")).items()]),
        "calibration": _table(fitted.get("calibration")),
        "loss": figures.loss_plot(rows),
        "versions": [(name, _value(value)) for name, value in _mapping(versions).items()],
    }


def _table(rows: object) -> dict[str, list[object]] | None:
    """Rows of equal keys as heads and cells; None where there are none."""
    told = [dict(row) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    if not told:
        return None
    names = list(dict.fromkeys(name for row in told for name in row))
    cells: list[object] = [[_value(row.get(name)) for name in names] for row in told]
    return {"heads": [plain.words(str(name)) for name in names], "rows": cells}


def _flat(row: object) -> dict[str, object]:
    return {str(key): value for key, value in row.items()} if isinstance(row, Mapping) else {"figure": row}


def _mapping(found: object) -> Mapping[str, object]:
    return found if isinstance(found, Mapping) else {}


def _value(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_value, value))
    return plain.number(value)


def _pictures(told: Told, role: str) -> list[tuple[str, str, str]]:
    return [(_inline(one.image), _inline(one.overlay), one.words) for one in told.gallery if one.role == role]


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _data(told: Told) -> dict[str, object]:
    data = told.data
    names = {split.value: wording.SPLITS[split.value] for split in Split}
    splits = [(names[split.value], data.splits[split]) for split in Split if split in data.splits]
    groups = {
        plain.words(name): [(wording.SOURCES.get(value, value), count) for value, count in values.items()]
        for name, values in data.groups.items()
    }
    return {"splits": splits, "groups": groups, "months": figures.months_plot(data.months)}


@cache
def _template() -> Template:
    env = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.filters["number"] = plain.number
    return env.from_string(_read("report.html.jinja"))


def _read(name: str) -> str:
    return (files(HERE) / name).read_text(encoding="utf-8")
