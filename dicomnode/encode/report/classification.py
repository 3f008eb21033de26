"""Report of a classification: each finding with its calibrated probability, threshold and uncertainty."""

from collections.abc import Iterator

from highdicom.sr import (
    ContentSequence,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from dicomnode.bundles.dicom_toml import Finding
from dicomnode.encode import concepts
from dicomnode.encode.concepts import coded
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import algorithm
from dicomnode.encode.report.certainty import certainty
from dicomnode.encode.report.document import Content, code_item
from dicomnode.encode.report.words import NOT_VERIFIED, NOTHING_FOUND, domain_concept, examined
from dicomnode.encode.tracking import finding_name, finding_tracking
from dicomnode.values import Classification, DomainAnswer, FindingScore

NO_PROBABILITY = "No probability is given, because the image lies outside the domain the model was evaluated on."
SUSPECTED = "{name}: suspected, probability {probability}, at or above the decision threshold of {threshold}."
NOT_SUSPECTED = "{name}: not suspected, probability {probability}, below the decision threshold of {threshold}."
ONE_DEVIATION = (
    "The uncertainty of a probability is one standard deviation over repeated readings of the image by the model"
)


def classification_content(context: Context, answer: Classification, domain: DomainAnswer) -> Content:
    """What the SR of a classification says; outside the evaluated domain it shows no probability."""
    scores = answer.scores if domain.inside or domain.overridden else _withheld(context)
    return Content(
        title=concepts.AI_RESULT,
        groups=[_group(context, score, domain) for score in scores],
        summary=context.joined([context.say(NOT_VERIFIED), *_sentences(context, scores, domain), examined(context)]),
        codes=(code_item(concepts.ANALYSES, concepts.SUCCEEDED),),
        comments=tuple(context.say(words) for words in _remarks(scores)),
    )


def _withheld(context: Context) -> tuple[FindingScore, ...]:
    """Every finding, without an answer."""
    return tuple(FindingScore(n, None, None, None) for n in range(len(context.rules.findings)))


def finding_of(context: Context, score: FindingScore) -> Finding:
    """The configured finding that a score is about."""
    return context.rules.findings[score.index]


def _group(context: Context, score: FindingScore, domain: DomainAnswer) -> ContentSequence:
    """One finding: present or absent, how probable, from which threshold on (TID 1501)."""
    finding = finding_of(context, score)
    side = coded(finding.laterality) if finding.laterality else None
    track = finding_tracking(finding, context.run.model.name, context.source)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=track.uid, identifier=track.identifier),
        finding_type=coded(finding.concept),
        finding_sites=[FindingSite(coded(finding.site), laterality=side)] if finding.site else None,
        algorithm_id=algorithm(context),
        source_images=[
            SourceImageForMeasurementGroup(image.sop_class_uid, image.sop_instance_uid) for image in context.instances
        ],
        measurements=list(_measurements(finding, score)) or None,
        qualitative_evaluations=list(_evaluations(score, domain)),
    )


def _measurements(finding: Finding, score: FindingScore) -> Iterator[Measurement]:
    if score.probability is not None:
        yield from certainty(score.probability, score.uncertainty, finding.threshold)


def _evaluations(score: FindingScore, domain: DomainAnswer) -> Iterator[QualitativeEvaluation]:
    if score.positive is not None:
        yield QualitativeEvaluation(concepts.PRESENCE, concepts.PRESENT if score.positive else concepts.ABSENT)
    yield QualitativeEvaluation(concepts.DOMAIN, domain_concept(domain))


def _sentences(context: Context, scores: tuple[FindingScore, ...], domain: DomainAnswer) -> Iterator[str]:
    if not domain.inside and not domain.overridden:
        yield context.say(NO_PROBABILITY)
        return
    if not domain.inside:
        yield context.say("Research use only.")
    if scores and not any(score.positive for score in scores):
        yield context.say(NOTHING_FOUND)
    for score in scores:
        yield _sentence(context, finding_of(context, score), score)


def _sentence(context: Context, finding: Finding, score: FindingScore) -> str:
    name = context.hear(finding_name(finding))
    if score.probability is None:
        return context.say("{name}: not assessed.", name=name)
    return context.say(
        SUSPECTED if score.positive else NOT_SUSPECTED,
        name=name,
        probability=context.percent(score.probability, score.uncertainty),
        threshold=context.percent(finding.threshold),
    )


def _remarks(scores: tuple[FindingScore, ...]) -> Iterator[str]:
    if any(score.uncertainty is not None for score in scores):
        yield ONE_DEVIATION
