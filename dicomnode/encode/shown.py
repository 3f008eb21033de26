"""A finding as every object shows it: the same tracking, name, place and figures in SR, SEG, KOS, GSPS and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.sr import CodedConcept

from dicomnode.bundles.dicom_toml import Code, Segment
from dicomnode.encode import concepts
from dicomnode.encode.context import Context
from dicomnode.encode.contours import Contour, largest_contour
from dicomnode.encode.regions import Region, Regions
from dicomnode.encode.report.classification import finding_of
from dicomnode.encode.tracking import Tracking, finding_tracking
from dicomnode.values import Classification, Segmentation, Volume


@dataclass(frozen=True)
class Figure:
    """One measured value of a finding."""

    name: CodedConcept
    value: float
    """Rounded as it is told everywhere."""
    unit: CodedConcept
    derivation: CodedConcept | None = None
    """Maximum, mean ... (CID 7464)."""


@dataclass(frozen=True)
class Shown:
    """One finding: what it is, where, how large, how sure."""

    tracking: Tracking
    concept: Code
    """The coded finding or structure."""
    site: Code | None = None
    laterality: Code | None = None
    cielab: tuple[float, float, float] = (60.0, 60.0, 40.0)
    """Display colour, CIELab."""
    key: Contour | None = None
    """Its outline on the slice to jump to; None where there is no place."""
    figures: tuple[Figure, ...] = ()
    label: int | None = None
    """Its number in the label map."""
    segment: int | None = None
    """Its Segment Number in the SEG."""
    probability: float | None = None
    threshold: float | None = None
    uncertainty: float | None = None
    """Standard deviation of the probability."""
    positive: bool | None = None
    """Present, at or above the threshold; None where nobody decided."""


def shown_segments(answer: Segmentation, volume: Volume, regions: Regions) -> tuple[Shown, ...]:
    """The structures that were found, in the order of their segment numbers."""
    return tuple(_structure(region, answer, volume) for region in regions.found)


def shown_scores(context: Context, answer: Classification) -> tuple[Shown, ...]:
    """The findings of a classification, in its order."""
    found = []
    for score in answer.scores:
        finding = finding_of(context, score)
        found.append(
            Shown(
                tracking=finding_tracking(finding, context.run.model.name, context.source),
                concept=finding.concept,
                site=finding.site,
                probability=score.probability,
                threshold=finding.threshold,
                uncertainty=score.uncertainty,
                positive=score.positive,
            )
        )
    return tuple(found)


def key_slices(shown: Sequence[Shown]) -> tuple[int, ...]:
    """The slices (k) that a reader should look at, each once, in their order in the volume."""
    return tuple(sorted({one.key.slice for one in shown if one.key is not None}))


def _structure(region: Region, answer: Segmentation, volume: Volume) -> Shown:
    segment: Segment = region.structure.segment
    return Shown(
        tracking=region.structure.tracking,
        concept=segment.type,
        site=segment.region,
        laterality=segment.laterality,
        cielab=segment.cielab,
        key=largest_contour(np.asarray(answer.labels == segment.index), volume),
        figures=_figures(region) if volume.has_geometry else (),
        label=segment.index,
        segment=region.number,
        positive=True,
    )


def _figures(region: Region) -> tuple[Figure, ...]:
    return (
        Figure(concepts.VOLUME, round(region.volume_ml, 4), concepts.MILLILITRE),
        Figure(concepts.DIAMETER, round(region.extent_mm, 2), concepts.MILLIMETRE, concepts.MAXIMUM),
    )
