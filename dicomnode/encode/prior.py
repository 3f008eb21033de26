"""Comparison with the patient's prior study: what the same structure measured then, and what has changed.

An organ is the same structure where it has the same tracking UID, which follows from the patient. Lesions are the
same only where a reader linked them; else they stand side by side, and are said to be unmatched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydicom import Dataset, dcmread

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.door.items import children, groups, name_of, tracking_of
from dicomnode.encode.shown import Figure, Shown
from dicomnode.identity import TELLING, same_patient
from dicomnode.values import EarlierReport

VOLUME = f"{concepts.VOLUME.value}/SCT"
CHANGE_ML = concepts.ours("VOLUME_CHANGE", "Change of volume since the prior study")
CHANGE_PERCENT = concepts.ours("VOLUME_CHANGE_PC", "Change of volume since the prior study, relative")
CHANGED = "{name}: {now} ml, in the study of {day} {then} ml ({change} ml)."
CHANGED_BY = "{name}: {now} ml, in the study of {day} {then} ml ({change} ml, {relative} %)."
UNMATCHED = "Not matched: in this study {here}; in the study of {day} {there}."
OTHER_VERSION = "The study of {day} was measured by another version of the model."
PRIOR_VOLUME = concepts.ours("PRIOR_VOLUME", "Volume in the prior study")


@dataclass(frozen=True)
class Measured:
    """A structure or lesion of the prior study."""

    identifier: str
    volume_ml: float


@dataclass(frozen=True)
class Prior:
    """What our report of the prior study says."""

    study_date: str
    """YYYYMMDD."""
    model_digest: str
    """Model version that measured it."""
    measured: dict[str, Measured]
    """By the tracking UID that the structure has in this study."""


def read_prior(report: EarlierReport, source: Dataset) -> Prior | None:
    """Read our own report of the prior study back; None where it is not this patient's.

    Args:
        report: where it lies, and which findings a reader linked.
        source: an image of the study that is compared with it.
    """
    document = dcmread(report.path)
    if not same_patient(_told(document), _told(source)):
        return None
    linked = {then: now for now, then in report.links}
    found = {linked.get(uid, uid): measured for uid, measured in _measured(document)}
    return Prior(report.study_date, report.model_digest, found)


def _told(dataset: Dataset) -> dict[str, str]:
    return {keyword: str(dataset.get(keyword) or "") for keyword in TELLING}


def compared(shown: Sequence[Shown], prior: Prior) -> tuple[Shown, ...]:
    """The findings with the volume that each had in the prior study, and its change, where it is the same structure."""
    return tuple(_compared(one, prior.measured.get(one.tracking.uid)) for one in shown)


def comparison_in_words(context: Context, shown: Sequence[Shown], prior: Prior) -> Iterator[str]:
    """A sentence for each structure that both studies have, and one for what is not matched."""
    day = f"{datetime.strptime(prior.study_date[:8], '%Y%m%d'):%Y-%m-%d}"
    sized = {one.tracking.uid: one for one in shown if volume_ml(one) is not None}
    for uid, one in sized.items():
        if uid in prior.measured:
            yield _change_in_words(context, one, prior.measured[uid], day)
    new = [context.hear(one.tracking.identifier) for uid, one in sized.items() if uid not in prior.measured]
    old = [_sized(context, measured) for uid, measured in prior.measured.items() if uid not in sized]
    if old or (new and prior.measured):
        none = context.say("none")
        here, there = context.listed(new) or none, context.listed(old) or none
        yield context.say(UNMATCHED, here=here, there=there, day=day)
    if context.run.model.digest != prior.model_digest and sized:
        yield context.say(OTHER_VERSION, day=day)


def volume_ml(shown: Shown) -> float | None:
    """Volume of a finding, where it was measured."""
    return next((figure.value for figure in shown.figures if figure.name == concepts.VOLUME), None)


def _compared(one: Shown, then: Measured | None) -> Shown:
    now = volume_ml(one)
    if then is None or now is None:
        return one
    change = now - then.volume_ml
    figures = [
        Figure(PRIOR_VOLUME, round(then.volume_ml, 4), concepts.MILLILITRE),
        Figure(CHANGE_ML, round(change, 4), concepts.MILLILITRE),
    ]
    if then.volume_ml > 0:
        figures.append(Figure(CHANGE_PERCENT, round(100 * change / then.volume_ml, 1), concepts.PERCENT))
    return replace(one, figures=(*one.figures, *figures))


def _change_in_words(context: Context, one: Shown, then: Measured, day: str) -> str:
    now = volume_ml(one) or 0.0
    change = now - then.volume_ml
    facts = {
        "name": context.hear(one.tracking.identifier),
        "now": context.number(now, 2),
        "then": context.number(then.volume_ml, 2),
        "change": f"{'+' if change >= 0 else ''}{context.number(change, 2)}",
        "day": day,
    }
    if then.volume_ml <= 0:
        return context.say(CHANGED, **facts)
    percent = 100 * change / then.volume_ml
    relative = f"{'+' if percent >= 0 else ''}{context.number(percent, 1)}"
    return context.say(CHANGED_BY, relative=relative, **facts)


def _sized(context: Context, measured: Measured) -> str:
    return f"{context.hear(measured.identifier)} ({context.number(measured.volume_ml, 2)} ml)"


def _measured(document: Dataset) -> Iterator[tuple[str, Measured]]:
    for group in groups(document):
        _, uid = tracking_of(group)
        for item in children(group, VOLUME):
            value = (item.get("MeasuredValueSequence") or [Dataset()])[0].get("NumericValue")
            if uid and value is not None:
                yield uid, Measured(name_of(group), float(value))
