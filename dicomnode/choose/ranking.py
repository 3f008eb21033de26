"""Which of several series that fit goes first, and the words for it."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicomnode.bundles.dicom_toml import Rank, SeriesRules
from dicomnode.values import Header, Series

DATE, TIME = re.compile("[0-9]{8}"), re.compile("[0-9]{2,6}")
ABSENT_MM = 1e6
"""Stands for a thickness that is not known: last."""


@dataclass(frozen=True)
class Candidate:
    """A series that fits a model."""

    series: Series
    """The instances that the model would get."""
    slices: int
    spacing_mm: float | None
    """Between slices."""
    fault: str = ""
    """Why no volume can be built of it; empty for a sound series."""


@dataclass(frozen=True)
class Preference:
    """One way to prefer a series: the smaller figure wins."""

    figure: Callable[[Candidate, SeriesRules], float | str]
    better: str
    """Words for the one that wins."""
    said: Callable[[Candidate, SeriesRules], str]
    """The figure in words."""


def ranked(candidates: Sequence[Candidate], rules: SeriesRules) -> list[Candidate]:
    """Candidates, best first; series number and UID break the last tie, so that the order is always the same."""
    return sorted(candidates, key=lambda one: tuple(p.figure(one, rules) for p in preferences(rules)))


def why_first(winner: Candidate, other: Candidate, rules: SeriesRules) -> str:
    """What decided between the two, in words."""
    for preference in preferences(rules):
        if preference.figure(winner, rules) != preference.figure(other, rules):
            return f"{preference.better} ({preference.said(winner, rules)} against {preference.said(other, rules)})"
    return "the lower UID"


def preferences(rules: SeriesRules) -> list[Preference]:
    """Soundness before all, then the model's own order, then the series number and UID."""
    return [SOUND, *(PREFERENCES[rank] for rank in rules.rank), NUMBER, UNIQUE]


def _thickness_mm(one: Candidate, _: SeriesRules) -> float:
    values = one.series.first.numbers("SliceThickness")
    if values and values[0] > 0:
        return round(values[0], 3)
    return round(one.spacing_mm, 3) if one.spacing_mm is not None else ABSENT_MM


def _kernel_place(one: Candidate, rules: SeriesRules) -> float:
    found = {kernel.casefold() for kernel in one.series.first.parts("ConvolutionKernel")}
    places = (n for n, kernel in enumerate(rules.kernels) if kernel.casefold() in found)
    return next(places, len(rules.kernels))


def _newest(one: Candidate, _: SeriesRules) -> float:
    moment = newest_moment(one.series.first)
    return -float(moment) if moment else 0.0


def newest_moment(header: Header) -> str:
    """Date and time of acquisition, or of content, or of series, as digits; empty where none is known."""
    for kind in ("Acquisition", "Content", "Series"):
        date = DATE.match(header.text(f"{kind}Date"))
        time = TIME.match(header.text(f"{kind}Time"))
        if date:
            return date[0] + (time[0] if time else "").ljust(6, "0")
    return ""


def _series_number(one: Candidate, _: SeriesRules) -> float:
    values = one.series.first.numbers("SeriesNumber")
    return values[0] if values and math.isfinite(values[0]) else math.inf


def _millimetres(one: Candidate, rules: SeriesRules) -> str:
    thickness = _thickness_mm(one, rules)
    return "unknown thickness" if thickness == ABSENT_MM else f"{thickness:g} mm"


SOUND = Preference(lambda one, _: bool(one.fault), "no fault of geometry", lambda one, _: one.fault or "sound")
NUMBER = Preference(
    _series_number, "the lower series number", lambda one, _: one.series.first.text("SeriesNumber") or "none"
)
UNIQUE = Preference(
    lambda one, _: one.series.series_uid, "the lower UID, all else being equal", lambda one, _: one.series.series_uid
)
PREFERENCES = {
    Rank.THINNEST: Preference(_thickness_mm, "thinner slices", _millimetres),
    Rank.MOST_SLICES: Preference(lambda one, _: -one.slices, "more slices", lambda one, _: f"{one.slices} slices"),
    Rank.KERNEL: Preference(
        _kernel_place, "the preferred kernel", lambda one, _: one.series.first.text("ConvolutionKernel") or "none"
    ),
    Rank.NEWEST: Preference(_newest, "newer images", lambda one, _: newest_moment(one.series.first) or "unknown time"),
}
