"""What the SR of a segmentation says: volumes and outlines, or that nothing was found."""

from collections.abc import Iterator, Sequence

from highdicom.sr import ContentSequence, QualitativeEvaluation
from pydicom import Dataset

from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.regions import Regions
from dicomnode.encode.report.document import Content, code_item
from dicomnode.encode.report.segments import planar_group, sizes_in_words, unseen_group, volumetric_group
from dicomnode.encode.report.words import NOT_VERIFIED, NOTHING_FOUND, examined
from dicomnode.encode.tracking import Structure
from dicomnode.values import Segmentation, Volume

OUTLINE_UNCERTAINTY = (
    "The uncertainty of an outline is the model's own, averaged over the structure: 0 is sure, 1 is unsure"
)
NO_VOLUME = "No volume is given, because the images lie outside the domain the model was evaluated on."
LARGEST_SLICE = "Each structure is outlined on the slice where it is largest"


def segmentation_content(context: Context, volume: Volume, answer: Segmentation, regions: Regions) -> Content:
    """Outlines and what was not found; `volume_groups` adds what refers to a SEG."""
    absent = QualitativeEvaluation(concepts.PRESENCE, concepts.ABSENT)
    outlines = [planar_group(context, region, answer.labels, volume) for region in regions.found]
    missing = [unseen_group(context, structure, absent) for structure in regions.absent]
    return Content(
        title=concepts.MEASUREMENT_REPORT if regions.found else concepts.AI_RESULT,
        groups=[*outlines, *missing],
        summary=context.joined(_summary(context, volume, regions)),
        codes=(code_item(concepts.ANALYSES, concepts.SUCCEEDED),),
        comments=tuple(context.say(words) for words in _remarks(regions, answer)),
    )


def volume_groups(context: Context, answer: Segmentation, regions: Regions, seg: Dataset) -> list[ContentSequence]:
    """A group of volume and extent for each segment of the SEG."""
    return [
        volumetric_group(context, region, seg, answer.uncertainty.get(region.structure.segment.index))
        for region in regions.found
    ]


def outside_content(context: Context, structures: Sequence[Structure]) -> Content:
    """The report where the input lies outside the evaluated domain: no volume, no outline."""
    outside = QualitativeEvaluation(concepts.DOMAIN, concepts.OUTSIDE_DOMAIN)
    return Content(
        title=concepts.AI_RESULT,
        groups=[unseen_group(context, structure, outside) for structure in structures],
        summary=context.joined([context.say(NOT_VERIFIED), context.say(NO_VOLUME), examined(context)]),
    )


def _summary(context: Context, volume: Volume, regions: Regions) -> Iterator[str]:
    yield context.say(NOT_VERIFIED)
    if not regions.found:
        yield context.say(NOTHING_FOUND)
    yield from sizes_in_words(context, regions, volume)
    yield examined(context)


def _remarks(regions: Regions, answer: Segmentation) -> Iterator[str]:
    if regions.found:
        yield LARGEST_SLICE
    if any(region.structure.segment.index in answer.uncertainty for region in regions.found):
        yield OUTLINE_UNCERTAINTY
