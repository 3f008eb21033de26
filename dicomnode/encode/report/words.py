"""Sentences that every report carries, in plain English."""

from collections.abc import Iterable
from dataclasses import replace

from highdicom.sr import CodedConcept

from dicomnode.encode.concepts import DOMAIN, OUTSIDE_DOMAIN, REASON, RESEARCH_USE, WITHIN_DOMAIN
from dicomnode.encode.context import Context
from dicomnode.encode.report.document import Content, code_item, sentence, text_item
from dicomnode.values import DomainAnswer, Instance, Prediction, Volume

NOT_VERIFIED = "AI result, not verified by a physician."


RESEARCH = "Research use: the input lies outside the domain the model was evaluated on; do not rely on the figures"


def examined(context: Context) -> str:
    """Which series was examined, in words."""
    return f"Examined: {series_words(context.instances)}."


def series_words(instances: Iterable[Instance]) -> str:
    """One series as a reader would name it: "MR series 'T1 crop', 35 images"."""
    images = list(instances)
    header = images[0].header
    modality, description = header.text("Modality"), header.text("SeriesDescription").strip()
    name = f"{modality} series '{description}'" if description else f"{modality} series without description".strip()
    return f"{name}, {len(images)} image{'' if len(images) == 1 else 's'}"


def with_circumstances(content: Content, volume: Volume, prediction: Prediction) -> Content:
    """The same content with what holds for every prediction: its domain, the reasons, what happened on the way."""
    domain = prediction.domain
    reasons = tuple(text_item(REASON, sentence(reason)) for reason in domain.reasons)
    research = (RESEARCH,) if domain.overridden and not domain.inside else ()
    return replace(
        content,
        codes=(*content.codes, code_item(DOMAIN, domain_concept(domain))),
        texts=(*content.texts, *reasons),
        comments=(*research, *content.comments, *volume.notes, *prediction.notes),
    )


def domain_concept(domain: DomainAnswer) -> CodedConcept:
    """Whether the input lies within the domain the model was evaluated on, as a code."""
    if domain.inside:
        return WITHIN_DOMAIN
    return RESEARCH_USE if domain.overridden else OUTSIDE_DOMAIN
