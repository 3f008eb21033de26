"""Which series of a study a model takes, with the reason for each, from headers alone."""

import math
from collections.abc import Sequence

from dicomnode.bundles.dicom_toml import DicomToml, SeriesRules
from dicomnode.choose.exclusions import exclusions_of, no_image
from dicomnode.choose.geometry import measure, misfits, slices_in
from dicomnode.choose.ranking import Candidate, ranked, why_first
from dicomnode.values import Choice, Header, Instance, Series, Study, Verdict


def choose_series(study: Study, rules: DicomToml) -> Choice:
    """The series that a model takes of a study, and for each series why it was taken or not.

    A series with a fault of geometry (a missing slice, say) is taken where no sound one fits: building its
    volume then refuses it by name, and the reader is told.

    Returns:
        The choice; for a model that takes one image, its series holds that image alone.
    """
    judged = [(series, *_judged(series, rules)) for series in study.series]
    order = ranked([candidate for _, candidate, _ in judged if candidate is not None], rules.series)
    verdicts = tuple(
        _refused(series, reasons) if candidate is None else _placed(candidate, order, rules.series, reasons)
        for series, candidate, reasons in judged
    )
    return Choice(rules.model.name, order[0].series if order else None, verdicts)


def described(series: Series) -> str:
    """A series as a person would call it: number, modality and description."""
    header = series.first
    words = (header.text("SeriesNumber"), header.text("Modality"), header.text("SeriesDescription"))
    return " ".join(word for word in words if word) or "without description"


def _judged(series: Series, rules: DicomToml) -> tuple[Candidate | None, list[str]]:
    """What the model would get of a series and notes on it, or None and every reason against it."""
    reasons = _kind(series.first, rules.series)
    if reasons:
        return None, reasons
    return _judged_image(series, rules) if rules.series.dimensions == 2 else _judged_stack(series, rules.series)


def _kind(header: Header, rules: SeriesRules) -> list[str]:
    if what := no_image(header):
        return [f"{what}, no image"]
    modality = header.text("Modality")
    if modality not in rules.modalities:
        return [f"modality {modality or 'not given'}, the model takes {' or '.join(rules.modalities)}"]
    return []


def _judged_stack(series: Series, rules: SeriesRules) -> tuple[Candidate | None, list[str]]:
    measured = measure(series, rules.geometry)
    reasons = [*_over_all(series.instances, rules), *misfits(measured, rules.geometry)]
    if reasons:
        return None, reasons
    spacing = measured.spacing_mm[0] if measured.spacing_mm else None
    fault = str(measured.fault) if measured.fault else ""
    return Candidate(series, measured.slices, spacing, fault), []


def _judged_image(series: Series, rules: DicomToml) -> tuple[Candidate | None, list[str]]:
    """The one image of a series that the model takes: a preferred view first, then the lowest instance number."""
    fitting = [i for i in series.instances if not _against(i.header, rules.series)]
    if not fitting:
        return None, _over_all(series.instances, rules.series)
    best = min(fitting, key=lambda instance: _image_place(instance, rules.domain.views))
    only = len(series.instances) == 1
    notes = [] if only else [f"image {_number(best)} of {len(series.instances)} images alone is analysed"]
    return Candidate(Series(series.series_uid, (best,)), slices_in(best.header), None), notes


def _image_place(instance: Instance, views: Sequence[str]) -> tuple[bool, float, str]:
    number = [value for value in instance.header.numbers("InstanceNumber") if math.isfinite(value)]
    other_view = bool(views) and instance.header.text("ViewPosition") not in views
    return other_view, number[0] if number else float("inf"), instance.sop_instance_uid


def _number(instance: Instance) -> str:
    return instance.header.text("InstanceNumber") or instance.sop_instance_uid


def _over_all(instances: Sequence[Instance], rules: SeriesRules) -> list[str]:
    """Every reason against any of the images, once, with their number where it is not all of them."""
    counts: dict[str, int] = {}
    for instance in instances:
        for reason in _against(instance.header, rules):
            counts[reason] = counts.get(reason, 0) + 1
    total = len(instances)
    return [reason if n == total else f"{reason} ({n} of {total} images)" for reason, n in counts.items()]


def _against(header: Header, rules: SeriesRules) -> list[str]:
    """Every reason why one image is not for the model: general exclusions, then its own conditions."""
    reasons = [f"{kind} image, by {shown}" for kind, shown in exclusions_of(header).items() if kind not in rules.admit]
    if rules.dimensions == 2 and slices_in(header) > 1:
        reasons.append(f"{slices_in(header)} frames, the model takes one image")
    reasons += [f"needs {condition.words()}" for condition in rules.require if not condition.holds(header)]
    return reasons + [f"excluded by {condition.words()}" for condition in rules.exclude if condition.holds(header)]


def _refused(series: Series, reasons: list[str]) -> Verdict:
    return Verdict(series.series_uid, described(series), taken=False, reasons=tuple(reasons))


def _placed(one: Candidate, order: list[Candidate], rules: SeriesRules, notes: list[str]) -> Verdict:
    """The verdict on a series that fits, by its place in the ranking."""
    winner, taken = order[0], one is order[0]
    if not taken:
        reasons = [f"fits, but {described(winner.series)!r} has {why_first(winner, one, rules)}"]
    elif len(order) == 1:
        reasons = ["fits every condition, and no other series does"]
    else:
        reasons = [f"fits every condition; first of {len(order)} by {why_first(winner, order[1], rules)}"]
    if taken and one.fault:
        reasons.append(f"but no volume can be built: {one.fault}")
    return Verdict(one.series.series_uid, described(one.series), taken=taken, reasons=(*reasons, *notes))
