"""What a picture or a page says, in the site's language: the headline, a line for each finding, the remarks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from dicomnode.encode import concepts
from dicomnode.encode.boxes import unseen_findings
from dicomnode.encode.context import Context
from dicomnode.encode.language import sentence
from dicomnode.encode.pictures.colours import Colour, on_black
from dicomnode.encode.pictures.values import Value, same, values_of
from dicomnode.encode.report.segmentation import LARGEST_SLICE
from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.values import Classification, Detection, Segmentation

MOST_NAMES = 3
"""Findings that a headline names."""
REVISED = "Revised: replaces an earlier AI result of this study."
WARNING = "AI result, not verified. Not for diagnosis alone."


class Tone(Enum):
    """How a result is to be taken."""

    FOUND = "found"
    CLEAR = "clear"
    """Looked for, and not found."""
    SILENT = "silent"
    """No answer is given."""


@dataclass(frozen=True)
class Line:
    """One finding as it is read."""

    number: int
    name: str
    colour: Colour
    values: tuple[Value, ...] = ()
    verdict: str = ""
    """"suspected", "not suspected"; empty for what is outlined."""
    positive: bool | None = None
    probability: float | None = None
    threshold: float | None = None
    uncertainty: float | None = None
    is_outlined: bool = False


@dataclass(frozen=True)
class Story:
    """One answer in words."""

    tone: Tone
    headline: str
    lines: tuple[Line, ...]
    absent: tuple[str, ...]
    """What was looked for and not found."""
    reasons: tuple[str, ...]
    """Why there is no answer, or why it is not to be relied on."""
    comments: tuple[str, ...]
    """How the figures are meant."""
    comparison: tuple[str, ...]
    """With the prior study: names its date, and so is no part of the picture."""
    remarks: tuple[str, ...]
    """What the model says of itself, and what happened on the way."""
    domain: str
    """Whether the input lies within the evaluated domain; empty where nothing was analysed."""
    research: bool
    revised: str
    """That it replaces an earlier result; empty for a first one."""


def story_of(told: Told) -> Story:
    """What is to be read of one answer."""
    prediction = told.prediction
    research = bool(prediction and prediction.domain.overridden and not prediction.domain.inside)
    tone = _tone(told)
    return Story(
        tone=tone,
        headline=_headline(told, tone),
        lines=tuple(_line(told, number, one) for number, one in enumerate(told.shown, 1)),
        absent=_absent(told),
        reasons=tuple(_reasons(told)),
        comments=tuple(_comments(told)),
        comparison=told.content.comparison,
        remarks=tuple(_remarks(told)),
        domain=_domain(told),
        research=research,
        revised=told.context.say(REVISED) if told.context.run.is_revision else "",
    )


def line_of(context: Context, number: int, one: Shown) -> Line:
    """One finding in words."""
    scored = one.probability is not None and not one.figures
    verdicts = {True: context.say("suspected"), False: context.say("not suspected"), None: context.say("not assessed")}
    return Line(
        number=number,
        name=name_of(context, one),
        colour=on_black(one.cielab),
        values=values_of(context, one.figures),
        verdict=verdicts[one.positive] if scored else "",
        positive=one.positive,
        probability=one.probability,
        threshold=one.threshold,
        uncertainty=one.uncertainty,
        is_outlined=one.key is not None,
    )


def name_of(context: Context, one: Shown) -> str:
    """A finding's name; a lesion keeps its number."""
    identifier = one.tracking.identifier
    if one.one_of and identifier.startswith(one.one_of):
        return context.hear(one.one_of) + identifier.removeprefix(one.one_of)
    return context.hear(identifier)


def series_in_short(told: Told) -> str:
    """What was read, without free text: "MR, 35 images"."""
    context, count = told.context, len(told.context.instances)
    words = "{modality}, 1 image" if count == 1 else "{modality}, {count} images"
    if told.volume is not None and len(told.volume.frames) > count:
        words, count = "{modality}, {count} frames", len(told.volume.frames)
    return context.say(words, modality=context.instances[0].header.text("Modality"), count=count)


def _line(told: Told, number: int, one: Shown) -> Line:
    """One finding, with how unsure its outline is where the model says so."""
    line, answer = line_of(told.context, number, one), told.prediction.answer if told.prediction else None
    if not isinstance(answer, Segmentation) or one.label not in answer.uncertainty:
        return line
    unsure = told.context.number(answer.uncertainty[one.label], 2)
    return replace(line, values=(*line.values, Value(told.context.say("Outline, uncertainty"), unsure)))


def _tone(told: Told) -> Tone:
    prediction = told.prediction
    if prediction is None or not (prediction.domain.inside or prediction.domain.overridden):
        return Tone.SILENT
    return Tone.FOUND if any(one.positive for one in told.shown) else Tone.CLEAR


def _headline(told: Told, tone: Tone) -> str:
    context, positive = told.context, [one for one in told.shown if one.positive]
    if told.prediction is None:
        return context.say("Could not analyse: {reason}", reason=_coded_reason(told))
    if tone is Tone.SILENT:
        return context.say("No result: outside the evaluated domain")
    if tone is Tone.CLEAR:
        return context.say("Nothing found")
    if isinstance(told.prediction.answer, Classification):
        if len(positive) > MOST_NAMES:
            return context.say("Suspected: {count} findings", count=len(positive))
        names = context.listed(name_of(context, one) for one in positive)
        return context.say("Suspected: {names}", names=names)
    if told.regions is not None and isinstance(told.prediction.answer, Segmentation):
        found = {one.one_of or one.tracking.identifier for one in positive}
        total = len(found) + len(told.regions.absent)
        return context.say("{count} of {total} structures found", count=len(found), total=total)
    return context.say("1 finding") if len(positive) == 1 else context.say("{count} findings", count=len(positive))


def _coded_reason(told: Told) -> str:
    """The meaning of the reason's code, within a sentence."""
    meanings = [str(item.value.meaning) for item in told.content.codes if same(item.name, concepts.REASON)]
    words = told.context.hear(meanings[0]) if meanings else ""
    return words if told.context.node.language == "de" else words[:1].lower() + words[1:]


def _absent(told: Told) -> tuple[str, ...]:
    if told.prediction is not None and isinstance(told.prediction.answer, Detection):
        unseen = unseen_findings(told.context, told.shown) if _tone(told) is not Tone.SILENT else ()
        return tuple(told.context.hear(one.tracking.identifier) for one in unseen)
    if told.regions is None:
        return ()
    return tuple(told.context.hear(structure.tracking.identifier) for structure in told.regions.absent)


def _reasons(told: Told) -> Iterator[str]:
    """The sentences under the concept of a reason."""
    for item in told.content.texts:
        yield str(item.value)


def _comments(told: Told) -> Iterator[str]:
    """How the figures are meant; which series were looked at is free text of the source, and left to the report."""
    if told.prediction is not None:
        outlined = told.context.say(LARGEST_SLICE)  # holds for the SR; here a slice shows several
        yield from (sentence(words) for words in told.content.comments if words != outlined)


def _remarks(told: Told) -> Iterator[str]:
    context, model = told.context, told.context.rules.model
    yield from (sentence(context.hear(words)) for words in model.statements)
    yield from (str(item.value) for item in told.content.notes)


def _domain(told: Told) -> str:
    context, prediction = told.context, told.prediction
    if prediction is None:
        return ""
    if prediction.domain.inside:
        return context.say("Within the evaluated domain")
    research = "Outside the evaluated domain: research use"
    return context.say(research if prediction.domain.overridden else "Outside the evaluated domain")
