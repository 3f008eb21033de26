"""What was looked for, and whether that succeeded: the summaries that a workstation reads first (TID 4015 to 4019)."""

from collections.abc import Iterable, Iterator, Sequence

from highdicom.sr import CodedConcept
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.cad import concepts
from dicomnode.encode.cad.items import (
    CONTAINS,
    INFERRED,
    PROPERTY,
    Identifier,
    by_reference,
    code,
    container,
    text,
    uid_reference,
)
from dicomnode.encode.concepts import coded
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import algorithm_parameters
from dicomnode.encode.report.words import RESEARCH
from dicomnode.encode.told import Told

WITHIN = "The input lies within the domain the model was evaluated on"


def is_answered(told: Told) -> bool:
    """Whether the model gave an answer that may be used: otherwise no workstation may show "without findings"."""
    domain = told.prediction.domain if told.prediction else None
    return domain is not None and (domain.inside or domain.overridden)


def summary_of_detections(told: Told, read: Sequence[Dataset]) -> Dataset:
    """What was looked for, under Succeeded or Failed (TID 4015).

    Args:
        told: what a run has to tell.
        read: what the model read, as `images_read` or `series_read` give it.
    """
    answered = is_answered(told)
    heading = concepts.SUCCESSFUL_DETECTIONS if answered else concepts.FAILED_DETECTIONS
    parameters = list(_circumstances(told))
    performed = [
        code(
            CONTAINS,
            concepts.DETECTION_PERFORMED,
            coded(wanted),
            [*algorithm(told.context, PROPERTY, parameters), *read],
        )
        for wanted in looked_for(told.context)
    ]
    status = concepts.SUCCEEDED if answered else concepts.FAILED
    return code(CONTAINS, concepts.DETECTIONS, status, [container(INFERRED, heading, performed)])


def summary_of_analyses() -> Dataset:
    """Nothing is analysed beyond detection: no comparison of views or of times (TID 4016, CID 6043, CID 6137)."""
    return code(CONTAINS, concepts.ANALYSES, concepts.NOT_ATTEMPTED)


def images_read(places: Iterable[Identifier]) -> list[Dataset]:
    """Images of the library that a detection worked on (TID 4017 row 4)."""
    return [by_reference(PROPERTY, place) for place in places]


def series_read(context: Context) -> list[Dataset]:
    """The series that a detection worked on (TID 4017 row 5)."""
    uids = dict.fromkeys(instance.series_uid for instance in context.instances)
    return [uid_reference(PROPERTY, concepts.SERIES, uid) for uid in uids]


def looked_for(context: Context) -> tuple[Code, ...]:
    """Every finding or structure that the model can name, each code once."""
    rules = context.rules
    wanted = [*(finding.concept for finding in rules.findings), *(segment.type for segment in rules.segments)]
    return tuple({(one.value, one.scheme): one for one in reversed(wanted)}.values())[::-1]


def algorithm(context: Context, relationship: str, parameters: Iterable[str] = ()) -> Iterator[Dataset]:
    """Name, version and parameters of the algorithm (TID 4019 rows 1 to 3, which every workstation knows)."""
    yield text(relationship, concepts.ALGORITHM_NAME, context.rules.model.title)
    yield text(relationship, concepts.ALGORITHM_VERSION, context.run.model.version)
    identity = (f"{name}: {value}" for name, value in algorithm_parameters(context).items())
    for words in (*identity, *parameters):
        yield text(relationship, concepts.ALGORITHM_PARAMETERS, words)


def processing_summary(told: Told, presented: bool) -> CodedConcept:
    """The first thing that a workstation shows (CID 6047)."""
    if not is_answered(told):
        return concepts.NONE_SUCCEEDED
    return concepts.WITH_FINDINGS if presented else concepts.WITHOUT_FINDINGS


def _circumstances(told: Told) -> Iterator[str]:
    """The domain, and the reason where there is no answer: a parameter is the only text that TID 4100 has room for."""
    if not is_answered(told):
        yield told.content.summary
    elif told.prediction is not None:
        yield told.context.say(WITHIN if told.prediction.domain.inside else RESEARCH)
