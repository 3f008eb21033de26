"""The report for OHIF: each outline within a number, under a tracking id of its drawing tool, so that it can be edited.

OHIF 3.13 takes a group (TID 1501) with such an id and a SCOORD within its first number as a measurement of its own;
with the SCOORD beside the numbers (TID 1410) their values would be lost. It shows a comment as the measurement's name.
"""

from collections.abc import Iterator

from highdicom.sr import (
    ContentSequence,
    CoordinatesForMeasurement,
    GraphicTypeValues,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from dicomnode.encode import concepts
from dicomnode.encode.equipment import algorithm
from dicomnode.encode.report.document import Content, text_item
from dicomnode.encode.report.findings import slice_figures, volume_figures, with_groups
from dicomnode.encode.report.segments import finding, image_of, measurement, planar_group, presence, sureness
from dicomnode.encode.shown import Figure, Shown
from dicomnode.encode.told import Told
from dicomnode.values import Volume

FREEHAND = "Cornerstone3DTools@^0.1.0:PlanarFreehandROI"
BESIDE_CENTRES_PX = 0.01
"""An outline is moved by so much: OHIF's mean of it counts a corner that lies between two pixels' centres twice."""


def with_editable_findings(told: Told) -> Content:
    """The content of the report for OHIF: one group for each finding, with all its figures.

    A group that refers to the SEG's segment (TID 1411) would hide the drawing tool's id: OHIF joins groups of one
    tracking UID. The segment has the same tracking UID.
    """
    return with_groups(told, [*_outlines(told), *told.content.groups])


def _outlines(told: Told) -> Iterator[ContentSequence]:
    for one in told.shown:
        if one.key is None or told.volume is None:
            continue
        if slice_figures(one):
            yield editable_group(told, one, told.volume)
        else:
            yield planar_group(told.context, one, told.volume, ())  # OHIF edits no outline without a number


def editable_group(told: Told, one: Shown, volume: Volume) -> ContentSequence:
    """One outline as OHIF's freehand tool writes it (TID 1501): its first number is inferred from it."""
    assert one.key is not None
    first, *others = _figures(told, one)
    image = image_of(volume.frames[one.key.slice])
    points = one.key.points + BESIDE_CENTRES_PX
    coordinates = CoordinatesForMeasurement(GraphicTypeValues.POLYLINE, points, image)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=one.tracking.uid, identifier=FREEHAND),
        algorithm_id=algorithm(told.context),
        source_images=[_source(volume, one.key.slice)],
        measurements=[
            Measurement(first.name, first.value, first.unit, referenced_coordinates=[coordinates]),
            *(measurement(figure) for figure in others),
            *sureness(one),
        ],
        qualitative_evaluations=presence(one) or None,
        **finding(one),
    )
    group[0].ContentSequence.append(text_item(concepts.COMMENT, one.tracking.identifier))
    return group


def _figures(told: Told, one: Shown) -> list[Figure]:
    """Every figure, the outline's area first: the drawing tool takes the first number for it."""
    figures = [*slice_figures(one), *volume_figures(told, one)]
    if one.key is not None and figures[0].name != concepts.AREA:
        area = Figure(concepts.AREA, round(one.key.area_mm2, 2), concepts.SQUARE_MILLIMETRE)
        return [area, *figures]
    return figures


def _source(volume: Volume, k: int) -> SourceImageForMeasurementGroup:
    frame = volume.frames[k]
    numbers = [frame.frame_number] if frame.frame_number else None
    return SourceImageForMeasurementGroup(frame.sop_class_uid, frame.sop_instance_uid, numbers)
