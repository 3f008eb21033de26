"""Sentences that every report carries; written in English, said in the site's language."""

from collections.abc import Iterable
from dataclasses import replace

from highdicom.sr import CodedConcept

from dicomnode.encode.concepts import COMMENT, DOMAIN, OUTSIDE_DOMAIN, REASON, RESEARCH_USE, WITHIN_DOMAIN
from dicomnode.encode.context import Context
from dicomnode.encode.report.document import Content, code_item, told_item
from dicomnode.values import DomainAnswer, Instance, Prediction, Volume

NOT_VERIFIED = "AI result, not verified by a physician."
NOTHING_FOUND = "Nothing found."

SERIES = {
    (True, True): "{modality} series '{description}', 1 image",
    (True, False): "{modality} series '{description}', {count} images",
    (False, True): "{modality} series without description, 1 image",
    (False, False): "{modality} series without description, {count} images",
}
"""By whether it has a description, and whether it is one image."""
RESEARCH = "Research use: the input lies outside the domain the model was evaluated on; do not rely on the figures"


def examined(context: Context) -> str:
    """Which series was examined, in words."""
    return context.say("Examined: {series}.", series=series_words(context, context.instances))


def series_words(context: Context, instances: Iterable[Instance]) -> str:
    """One series as a reader would name it: "MR series 'T1 crop', 35 images"."""
    images = list(instances)
    header = images[0].header
    modality, description = header.text("Modality"), header.text("SeriesDescription").strip()
    facts = {"modality": modality, "description": description, "count": len(images)}
    return context.say(SERIES[bool(description), len(images) == 1], **facts).strip()


def with_circumstances(context: Context, content: Content, volume: Volume, prediction: Prediction) -> Content:
    """The same content with what holds for every prediction: its domain, the reasons, what happened on the way."""
    domain = prediction.domain
    reasons = tuple(told_item(context, REASON, reason) for reason in domain.reasons)
    notes = tuple(told_item(context, COMMENT, note) for note in (*volume.notes, *prediction.notes))
    research = (context.say(RESEARCH),) if domain.overridden and not domain.inside else ()
    return replace(
        content,
        codes=(*content.codes, code_item(DOMAIN, domain_concept(domain))),
        texts=(*content.texts, *reasons),
        comments=(*research, *content.comments),
        notes=(*content.notes, *notes),
    )


def domain_concept(domain: DomainAnswer) -> CodedConcept:
    """Whether the input lies within the domain the model was evaluated on, as a code."""
    if domain.inside:
        return WITHIN_DOMAIN
    return RESEARCH_USE if domain.overridden else OUTSIDE_DOMAIN
