"""A finding as every object shows it: the same tracking, name, place and figures in SR, SEG, KOS, GSPS and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept

from dicomnode.bundles.dicom_toml import Code, Segment
from dicomnode.encode import concepts
from dicomnode.encode.axes import Axes, axes_of
from dicomnode.encode.context import Context
from dicomnode.encode.contours import Contour, contour_within
from dicomnode.encode.quantity import PIXEL_VALUE, Quantity
from dicomnode.encode.regions import Region, Regions
from dicomnode.encode.report.classification import finding_of
from dicomnode.encode.tracking import Structure, Tracking, finding_tracking
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
    on_slice: bool = False
    """Measured on the key slice alone, not in the whole volume."""


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
    axes: Axes | None = None
    """Its longest diameter there and the one perpendicular to it; None without geometry."""
    figures: tuple[Figure, ...] = ()
    centre_mm: tuple[float, float, float] | None = None
    """Its centre of mass, LPS."""
    category: Code | None = None
    one_of: str = ""
    """The configured label of which it is one lesion ("Nodule" of "Nodule 2")."""
    quantity: Quantity = PIXEL_VALUE
    """What the voxels inside measure."""
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


def shown_segments(
    answer: Segmentation, volume: Volume, regions: Regions, quantity: Quantity = PIXEL_VALUE
) -> tuple[Shown, ...]:
    """The structures that were found, in the order of their segment numbers; `quantity`: what the voxels measure."""
    return tuple(_structure(region, answer, volume, quantity) for region in regions.found)


def unseen(structure: Structure) -> Shown:
    """A structure without a place: not found, or not assessed."""
    segment = structure.segment
    return Shown(structure.tracking, segment.type, segment.region, segment.laterality, category=segment.category)


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
                laterality=finding.laterality,
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


def _structure(region: Region, answer: Segmentation, volume: Volume, quantity: Quantity) -> Shown:
    segment: Segment = region.structure.segment
    key = contour_within(answer.labels, segment.index, region.box, volume)
    axes = axes_of(key.points, volume) if volume.has_geometry else None
    return Shown(
        tracking=region.structure.tracking,
        concept=segment.type,
        site=segment.region,
        laterality=segment.laterality,
        cielab=segment.cielab,
        key=key,
        axes=axes,
        figures=(*_sizes(region), *_on_slice(key, axes), *_values(region, quantity)) if axes else (),
        centre_mm=region.centre_mm if axes else None,
        category=segment.category,
        one_of=region.structure.one_of,
        quantity=quantity,
        label=segment.index,
        segment=region.number,
        positive=True,
    )


def _sizes(region: Region) -> tuple[Figure, ...]:
    return (
        Figure(concepts.VOLUME, round(region.volume_ml, 4), concepts.MILLILITRE),
        Figure(concepts.DIAMETER, round(region.extent_mm, 2), concepts.MILLIMETRE, concepts.MAXIMUM),
    )


def _on_slice(key: Contour, axes: Axes) -> tuple[Figure, ...]:
    return (
        Figure(concepts.AREA, round(key.area_mm2, 2), concepts.SQUARE_MILLIMETRE, on_slice=True),
        Figure(concepts.LONG_AXIS, round(axes.long_mm, 2), concepts.MILLIMETRE, on_slice=True),
        Figure(concepts.SHORT_AXIS, round(axes.short_mm, 2), concepts.MILLIMETRE, on_slice=True),
    )


def _values(region: Region, quantity: Quantity) -> tuple[Figure, ...]:
    """Mean, standard deviation, minimum and maximum of the real-world values inside."""
    if region.values is None:
        return ()
    spread = region.values
    told = (
        (spread.mean, concepts.MEAN),
        (spread.deviation, concepts.STANDARD_DEVIATION),
        (spread.least, concepts.MINIMUM),
        (spread.most, concepts.MAXIMUM),
    )
    return tuple(Figure(quantity.name, quantity.rounded(value), quantity.unit, how) for value, how in told)
