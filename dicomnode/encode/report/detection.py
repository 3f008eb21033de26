"""What the SR of a detection says: each lesion with its probability and diameter, or that nothing was found."""

from collections import Counter
from collections.abc import Iterator, Sequence

from highdicom.sr import QualitativeEvaluation

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.report.document import Content, code_item
from dicomnode.encode.report.segmentation import COUNTED, NOT_FOUND, name_in_words
from dicomnode.encode.report.segments import unseen_group
from dicomnode.encode.report.words import NOT_VERIFIED, NOTHING_FOUND, examined
from dicomnode.encode.shown import Shown

LESION = "{name}: probability {probability} %, diameter {diameter} mm."
LESION_WITHOUT_SIZE = "{name}: probability {probability} %."
NO_LESION = "No finding is given, because the images lie outside the domain the model was evaluated on."
DRAWN = "Each finding is drawn as the box that the model gave, on its middle slice; its longer side is the diameter"
BELOW = "Findings below the decision threshold of {threshold} % are not given"


def detection_content(context: Context, shown: Sequence[Shown], unseen: Sequence[Shown]) -> Content:
    """What was not found, and the sentences; `with_findings` adds what was found."""
    absent = QualitativeEvaluation(concepts.PRESENCE, concepts.ABSENT)
    return Content(
        title=concepts.MEASUREMENT_REPORT if shown else concepts.AI_RESULT,
        groups=[unseen_group(context, one, absent) for one in unseen],
        summary=context.joined(_summary(context, shown, unseen)),
        codes=(code_item(concepts.ANALYSES, concepts.SUCCEEDED),),
        comments=tuple(_remarks(context, shown)),
    )


def no_detection_content(context: Context, unseen: Sequence[Shown]) -> Content:
    """The report where the input lies outside the evaluated domain: no lesion."""
    outside = QualitativeEvaluation(concepts.DOMAIN, concepts.OUTSIDE_DOMAIN)
    return Content(
        title=concepts.AI_RESULT,
        groups=[unseen_group(context, one, outside) for one in unseen],
        summary=context.joined([context.say(NOT_VERIFIED), context.say(NO_LESION), examined(context)]),
    )


def _summary(context: Context, shown: Sequence[Shown], unseen: Sequence[Shown]) -> Iterator[str]:
    yield context.say(NOT_VERIFIED)
    if not shown:
        yield context.say(NOTHING_FOUND)
    for name, lesions in Counter(one.one_of for one in shown).items():
        yield context.say(COUNTED, name=context.hear(name), count=lesions)
    yield from (_lesion_in_words(context, one) for one in shown)
    if unseen:
        names = context.listed(context.hear(one.tracking.identifier) for one in unseen)
        yield context.say(NOT_FOUND, names=names)
    yield examined(context)


def _lesion_in_words(context: Context, one: Shown) -> str:
    name, probability = name_in_words(context, one), context.number(100 * (one.probability or 0))
    diameter = next((figure.value for figure in one.figures if figure.name == concepts.DIAMETER), None)
    if diameter is None:
        return context.say(LESION_WITHOUT_SIZE, name=name, probability=probability)
    return context.say(LESION, name=name, probability=probability, diameter=context.number(diameter))


def _remarks(context: Context, shown: Sequence[Shown]) -> Iterator[str]:
    if shown:
        yield context.say(DRAWN)
    for threshold in sorted({finding.threshold for finding in context.rules.findings}):
        yield context.say(BELOW, threshold=context.number(100 * threshold))
