"""What the SR of a segmentation says: volumes and outlines, or that nothing was found."""

from collections import Counter
from collections.abc import Iterator, Sequence

from highdicom.sr import QualitativeEvaluation

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.report.document import Content, code_item
from dicomnode.encode.report.segments import unseen_group
from dicomnode.encode.report.words import NOT_VERIFIED, NOTHING_FOUND, examined
from dicomnode.encode.shown import Shown, unseen
from dicomnode.encode.tracking import Structure
from dicomnode.values import Segmentation

OUTLINE_UNCERTAINTY = (
    "The uncertainty of an outline is the model's own, averaged over the structure: 0 is sure, 1 is unsure"
)
NO_VOLUME = "No volume is given, because the images lie outside the domain the model was evaluated on."
SIZE = "{name}: volume {volume} ml, largest diameter {diameter} mm."
LESION_SIZE = "{name}: volume {volume} ml, largest diameter {diameter} mm, {long} × {short} mm on its largest slice."
SIZE_UNKNOWN = "{name}: outlined; its size is not known."
MEAN = "{name}: mean {mean} {unit}."
COUNTED = "{name}: {count} found."
NOT_FOUND = "Looked for and not found: {names}."
LARGEST_SLICE = "Each structure is outlined on the slice where it is largest"


def segmentation_content(
    context: Context, shown: Sequence[Shown], answer: Segmentation, absent: Sequence[Structure]
) -> Content:
    """What was not found, and the sentences; `with_findings` adds what was found."""
    not_there = QualitativeEvaluation(concepts.PRESENCE, concepts.ABSENT)
    return Content(
        title=concepts.MEASUREMENT_REPORT if shown else concepts.AI_RESULT,
        groups=[unseen_group(context, unseen(structure), not_there) for structure in absent],
        summary=context.joined(_summary(context, shown, absent)),
        codes=(code_item(concepts.ANALYSES, concepts.SUCCEEDED),),
        comments=tuple(context.say(words) for words in _remarks(shown, answer)),
    )


def outside_content(context: Context, structures: Sequence[Structure]) -> Content:
    """The report where the input lies outside the evaluated domain: no volume, no outline."""
    outside = QualitativeEvaluation(concepts.DOMAIN, concepts.OUTSIDE_DOMAIN)
    return Content(
        title=concepts.AI_RESULT,
        groups=[unseen_group(context, unseen(structure), outside) for structure in structures],
        summary=context.joined([context.say(NOT_VERIFIED), context.say(NO_VOLUME), examined(context)]),
    )


def _summary(context: Context, shown: Sequence[Shown], absent: Sequence[Structure]) -> Iterator[str]:
    yield context.say(NOT_VERIFIED)
    if not shown:
        yield context.say(NOTHING_FOUND)
    for name, lesions in Counter(one.one_of for one in shown if one.one_of).items():
        yield context.say(COUNTED, name=context.hear(name), count=lesions)
    yield from (sentence for one in shown for sentence in size_in_words(context, one))
    if absent:
        names = context.listed(context.hear(structure.tracking.identifier) for structure in absent)
        yield context.say(NOT_FOUND, names=names)
    yield examined(context)


def size_in_words(context: Context, one: Shown) -> Iterator[str]:
    """How large one structure or lesion is, and its mean value where the unit says something to a reader."""
    name, figures = name_in_words(context, one), {(figure.name, figure.derivation): figure for figure in one.figures}
    if not figures:
        yield context.say(SIZE_UNKNOWN, name=name)
        return
    facts = {
        "name": name,
        "volume": context.number(figures[concepts.VOLUME, None].value, 2),
        "diameter": context.number(figures[concepts.DIAMETER, concepts.MAXIMUM].value),
    }
    if one.one_of and one.axes:
        facts |= {"long": context.number(one.axes.long_mm), "short": context.number(one.axes.short_mm)}
    yield context.say(LESION_SIZE if "long" in facts else SIZE, **facts)
    mean = figures.get((one.quantity.name, concepts.MEAN))
    if mean and one.quantity.spoken:
        yield context.say(MEAN, name=name, mean=context.number(mean.value, 1), unit=one.quantity.spoken)


def name_in_words(context: Context, one: Shown) -> str:
    """A finding's name in the language of the report; a lesion keeps its number."""
    name = one.one_of or one.tracking.identifier
    return context.hear(name) + one.tracking.identifier.removeprefix(name)


def _remarks(shown: Sequence[Shown], answer: Segmentation) -> Iterator[str]:
    if shown:
        yield LARGEST_SLICE
    if any(one.label in answer.uncertainty for one in shown):
        yield OUTLINE_UNCERTAINTY
