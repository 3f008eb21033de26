"""Report that there is no result: what was looked at, and why it could not be analysed."""

from itertools import groupby

from highdicom.sr import (
    CodedConcept,
    ContentSequence,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    TrackingIdentifier,
)

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import algorithm
from dicomnode.encode.language import sentence
from dicomnode.encode.report.document import Content, code_item, told_item
from dicomnode.encode.report.words import series_words
from dicomnode.encode.tracking import report_tracking
from dicomnode.errors import (
    DoorFault,
    IdentityFault,
    ModelFault,
    NotDicom,
    SeriesRefused,
    Transient,
)

COULD_NOT = "Could not analyse: {reason} There is no AI result for this study."
NOT_POSSIBLE = concepts.ours("NOT_POSSIBLE", "Analysis not possible")
NO_SERIES = concepts.ours("NO_SERIES", "No suitable image series")

REASONS: dict[str, CodedConcept] = {
    SeriesRefused.__name__: NO_SERIES,
    IdentityFault.__name__: concepts.ours("IDENTITY", "Patient or study identity in doubt"),
    NotDicom.__name__: concepts.ours("UNREADABLE", "Images could not be read"),
    ModelFault.__name__: concepts.ours("MODEL", "Analysis software failed"),
    DoorFault.__name__: concepts.ours("CHECK", "Result failed its checks"),
    Transient.__name__: concepts.ours("RESOURCES", "Resources not available"),
}
"""The code of a reason, by the branch of the error tree that it comes from."""


def reason_code(family: str, *, has_series: bool) -> CodedConcept:
    """The coded concept of a reason; without a family: no series fits, or the analysis was not possible."""
    return REASONS.get(family, NOT_POSSIBLE if has_series else NO_SERIES)


def unable_content(context: Context, reason: str, code: CodedConcept) -> Content:
    """What the SR of an analysis that could not be made says."""
    told = sentence(context.hear(reason))
    return Content(
        title=concepts.AI_RESULT,
        groups=[_group(context, code)],
        summary=context.say(COULD_NOT, reason=told),
        codes=(code_item(concepts.ANALYSES, concepts.FAILED), code_item(concepts.REASON, code)),
        texts=(told_item(context, concepts.REASON, reason),),
        comments=(looked_at(context),),
    )


def looked_at(context: Context) -> str:
    """The series of a study in words, one after the other."""
    ordered = sorted(context.instances, key=lambda instance: instance.series_uid)
    series = [series_words(context, images) for _, images in groupby(ordered, key=lambda instance: instance.series_uid)]
    return context.say("Looked at: {series}", series="; ".join(series))


def _group(context: Context, code: CodedConcept) -> ContentSequence:
    track = report_tracking(context.run.model.name, context.run.study.study_uid)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=track.uid, identifier=track.identifier),
        finding_type=concepts.ANALYSIS,
        algorithm_id=algorithm(context),
        qualitative_evaluations=[
            QualitativeEvaluation(concepts.ANALYSES, concepts.FAILED),
            QualitativeEvaluation(concepts.REASON, code),
        ],
    )
