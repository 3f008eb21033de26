"""Measurement groups of findings that have a place: what was measured, and the outline that viewers jump to."""

from collections.abc import Iterator, Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    ContentSequence,
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom import Dataset

from dicomnode.encode import concepts
from dicomnode.encode.concepts import coded
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import algorithm
from dicomnode.encode.report.certainty import certainty
from dicomnode.encode.shown import Figure, Shown
from dicomnode.encode.tracking import Tracking
from dicomnode.values import Frame, Volume


def volumetric_group(context: Context, one: Shown, seg: Dataset, figures: Sequence[Figure]) -> ContentSequence:
    """Figures of one finding by reference to its SEG segment (TID 1411)."""
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked(one.tracking),
        referenced_segment=ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=one.segment,
            source_series=SourceSeriesForSegmentation(context.source.SeriesInstanceUID),
        ),
        measurements=measurements(context, figures),
        **finding(one),
    )


def planar_group(context: Context, one: Shown, volume: Volume, figures: Sequence[Figure]) -> ContentSequence:
    """The outline on the key slice (TID 1410), under the same tracking UID: viewers jump to it."""
    assert one.key is not None
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked(one.tracking),
        referenced_region=ImageRegion(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=one.key.points,
            source_image=image_of(volume.frames[one.key.slice]),
        ),
        measurements=[*measurements(context, figures), *sureness(one)] or None,
        qualitative_evaluations=presence(one) or None,
        **finding(one),
    )


def unseen_group(context: Context, one: Shown, evaluation: QualitativeEvaluation) -> ContentSequence:
    """A structure or finding that has no place: not found, or not assessed (TID 1501)."""
    first = context.instances[0]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked(one.tracking),
        algorithm_id=algorithm(context),
        source_images=[SourceImageForMeasurementGroup(first.sop_class_uid, first.sop_instance_uid)],
        qualitative_evaluations=[evaluation],
        **finding(one),
    )


def measurements(context: Context, figures: Sequence[Figure]) -> list[Measurement]:
    """The figures; the first says by which algorithm (TID 300), as the document's observer does for all of them."""
    return [measurement(figure, None if n else algorithm(context)) for n, figure in enumerate(figures)]


def sureness(one: Shown) -> list[Measurement]:
    """Its probability and threshold, where somebody decided."""
    if one.probability is None or one.threshold is None:
        return []
    return list(certainty(one.probability, one.uncertainty, one.threshold))


def presence(one: Shown) -> list[QualitativeEvaluation]:
    """That it is there, where a threshold decided."""
    return [] if one.probability is None else [QualitativeEvaluation(concepts.PRESENCE, concepts.PRESENT)]


def measurement(figure: Figure, who: AlgorithmIdentification | None = None) -> Measurement:
    """One value with its unit and how it was derived (TID 300)."""
    return Measurement(figure.name, figure.value, figure.unit, derivation=figure.derivation, algorithm_id=who)


def tracked(tracking: Tracking) -> TrackingIdentifier:
    """Tracking identifier and UID of a group."""
    return TrackingIdentifier(uid=tracking.uid, identifier=tracking.identifier)


def finding(one: Shown) -> dict[str, object]:
    """Finding category, type and site; the side only where dicom.toml fixes it."""
    laterality = coded(one.laterality) if one.laterality else None
    return {
        "finding_category": coded(one.category) if one.category else None,
        "finding_type": coded(one.concept),
        "finding_sites": [FindingSite(coded(one.site), laterality=laterality)] if one.site else None,
    }


def image_of(frame: Frame) -> SourceImageForRegion:
    """The image that an outline lies on."""
    numbers = [frame.frame_number] if frame.frame_number else None
    return SourceImageForRegion(frame.sop_class_uid, frame.sop_instance_uid, numbers)


def centre_figures(one: Shown) -> Iterator[Figure]:
    """Its centre of mass in the frame of reference, a figure for each direction."""
    for name, mm in zip(concepts.CENTRE, one.centre_mm or (), strict=False):
        yield Figure(name, round(mm, 2), concepts.MILLIMETRE)
