"""Figures as they are read: with their unit, three digits that count, and those together that belong together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.prior import CHANGE_ML, CHANGE_PERCENT, PRIOR_VOLUME
from dicomnode.encode.shown import Figure

UNITS = {"mm2": "mm²", "[hnsf'U]": "HU", "[arb'U]": "", "1": "", "g/ml{SUVbw}": "g/ml", "g/ml{SUVlbm}": "g/ml"}
"""UCUM codes as they are read; an arbitrary unit is none."""


@dataclass(frozen=True)
class Value:
    """One figure as it is read: "Volume", "1.52 ml"."""

    label: str
    text: str


def values_of(context: Context, figures: Sequence[Figure]) -> tuple[Value, ...]:
    """The figures in their order; both diameters of a slice in one, mean and deviation, least and most.

    Left to the SR: values on the scanner's own scale, which say nothing to a reader, extremes, the area on one slice,
    and the volume in the prior study, which is told beside its date.
    """
    return tuple(_values(context, [one for one in figures if not _is_left_out(one)]))


def in_short(values: Sequence[Value], context: Context, most: int) -> tuple[Value, ...]:
    """The figures that a reader asks for first."""
    label = context.hear(concepts.VOLUME.meaning)
    asked = ("Change since prior", "Diameters on the slice", "Outline, uncertainty")
    first = (label, *(context.say(words) for words in asked))
    wanted = [*(v for v in values if v.label in first), *(v for v in values if v.label not in first)]
    return tuple(wanted[:most])


def same(one: CodedConcept | None, other: CodedConcept | None) -> bool:
    """Whether two codes are one concept."""
    return one is not None and other is not None and one.value == other.value


def _is_left_out(figure: Figure) -> bool:
    if same(figure.unit, concepts.ARBITRARY) or same(figure.name, concepts.AREA) or same(figure.name, PRIOR_VOLUME):
        return True
    extreme = same(figure.derivation, concepts.MINIMUM) or same(figure.derivation, concepts.MAXIMUM)
    return extreme and not same(figure.name, concepts.DIAMETER)


def _values(context: Context, figures: list[Figure]) -> Iterator[Value]:
    for figure in figures:
        if _is_long(figure) and (short := _named(figures, concepts.SHORT_AXIS)):
            text = f"{_number(context, figure)} × {_with_unit(context, short)}"
            yield Value(context.say("Diameters on the slice"), text)
        elif same(figure.derivation, concepts.MEAN) and (spread := _derived(figures, concepts.STANDARD_DEVIATION)):
            larger = max(figure, spread, key=lambda one: abs(one.value))
            text = f"{_number(context, figure, larger)} ± {_with_unit(context, spread, larger)}"
            yield Value(context.say("{name}, mean ± SD", name=_name(context, figure)), text)
        elif same(figure.name, CHANGE_ML):
            yield Value(context.say("Change since prior"), _change(context, figure, figures))
        elif not _is_told(figure, figures):
            yield Value(_label(context, figure), _with_unit(context, figure))


def _is_long(figure: Figure) -> bool:
    """The longer of the two diameters on the slice: of an outline, or of a box."""
    return same(figure.name, concepts.LONG_AXIS) or (figure.on_slice and same(figure.name, concepts.DIAMETER))


def _change(context: Context, figure: Figure, figures: list[Figure]) -> str:
    """The change in ml and percent: "+0.20 ml (+13 %)"."""
    relative = _named(figures, CHANGE_PERCENT)
    told = [figure, *([relative] if relative else [])]
    absolute, *others = [("+" if one.value > 0 else "") + _with_unit(context, one) for one in told]
    return f"{absolute} ({others[0]})" if others else absolute


def _is_told(figure: Figure, figures: list[Figure]) -> bool:
    """Whether a figure is the second of a pair."""
    if same(figure.name, CHANGE_PERCENT):
        return _named(figures, CHANGE_ML) is not None
    if same(figure.name, concepts.SHORT_AXIS):
        return any(_is_long(one) for one in figures)
    spread = same(figure.derivation, concepts.STANDARD_DEVIATION)
    return spread and _derived(figures, concepts.MEAN, figure.name) is not None


def _named(figures: list[Figure], name: CodedConcept) -> Figure | None:
    return next((one for one in figures if same(one.name, name)), None)


def _derived(figures: list[Figure], how: CodedConcept, name: CodedConcept | None = None) -> Figure | None:
    found = (one for one in figures if same(one.derivation, how) and (name is None or same(one.name, name)))
    return next(found, None)


def _name(context: Context, figure: Figure) -> str:
    meaning = "Attenuation" if same(figure.name, concepts.ATTENUATION) else figure.name.meaning
    return context.hear(meaning)


def _number(context: Context, figure: Figure, like: Figure | None = None) -> str:
    largest = abs((like or figure).value)
    digits = 0 if largest >= 100 else 1 if largest >= 10 else 2
    digits -= figure.unit.value == "%" and digits > 0
    return context.number(figure.value, digits).replace("-", "−")


def _with_unit(context: Context, figure: Figure, like: Figure | None = None) -> str:
    unit = figure.unit.value
    return f"{_number(context, figure, like)} {UNITS.get(unit, unit)}".strip()


def _label(context: Context, figure: Figure) -> str:
    if same(figure.name, concepts.DIAMETER) and same(figure.derivation, concepts.MAXIMUM):
        return context.say("Largest diameter")
    name = _name(context, figure)
    if figure.derivation is not None:
        return context.say(
            "{name}, {derivation}", name=name, derivation=context.hear(figure.derivation.meaning).lower()
        )
    return context.say("{name} on the slice", name=name) if figure.on_slice else name
