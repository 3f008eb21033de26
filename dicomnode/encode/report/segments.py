"""Report of a segmentation: each segment's volume and extent, and its outline where it is largest."""

from collections.abc import Iterator

import numpy as np
from highdicom.sr import (
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
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Segment
from dicomnode.encode import concepts
from dicomnode.encode.concepts import coded
from dicomnode.encode.context import Context
from dicomnode.encode.contours import largest_contour
from dicomnode.encode.equipment import algorithm
from dicomnode.encode.regions import Region, Regions
from dicomnode.encode.tracking import Structure
from dicomnode.values import Frame, Volume

SIZE = "{name}: volume {volume} ml, largest diameter {diameter} mm."
SIZE_UNKNOWN = "{name}: outlined; its size is not known."
NOT_FOUND = "Looked for and not found: {names}."


def volumetric_group(context: Context, region: Region, seg: Dataset, uncertainty: float | None) -> ContentSequence:
    """Volume and extent of one segment, by reference to the SEG (TID 1411)."""
    measurements = [
        Measurement(concepts.VOLUME, round(region.volume_ml, 4), concepts.MILLILITRE, algorithm_id=algorithm(context)),
        Measurement(
            concepts.DIAMETER,
            round(region.extent_mm, 2),
            concepts.MILLIMETRE,
            derivation=concepts.MAXIMUM,
            algorithm_id=algorithm(context),
        ),
    ]
    if uncertainty is not None:
        measurements.append(Measurement(concepts.VOXEL_UNCERTAINTY, round(uncertainty, 3), concepts.NO_UNITS))
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracked(region.structure),
        referenced_segment=ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=region.number,
            source_series=SourceSeriesForSegmentation(context.source.SeriesInstanceUID),
        ),
        measurements=measurements,
        **_finding(region.structure.segment),
    )


def planar_group(context: Context, region: Region, labels: NDArray[np.uint8], volume: Volume) -> ContentSequence:
    """The outline on the slice of largest area (TID 1410), under the same tracking UID: viewers jump to it."""
    contour = largest_contour(labels == region.structure.segment.index, volume)
    area = Measurement(
        concepts.AREA, round(contour.area_mm2, 2), concepts.SQUARE_MILLIMETRE, algorithm_id=algorithm(context)
    )
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracked(region.structure),
        referenced_region=ImageRegion(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=contour.points,
            source_image=_image_of(volume.frames[contour.slice]),
        ),
        measurements=[area] if volume.has_geometry else None,
        **_finding(region.structure.segment),
    )


def unseen_group(context: Context, structure: Structure, evaluation: QualitativeEvaluation) -> ContentSequence:
    """A structure that has no region: not found, or not assessed (TID 1501)."""
    first = context.instances[0]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracked(structure),
        algorithm_id=algorithm(context),
        source_images=[SourceImageForMeasurementGroup(first.sop_class_uid, first.sop_instance_uid)],
        qualitative_evaluations=[evaluation],
        **_finding(structure.segment),
    )


def _tracked(structure: Structure) -> TrackingIdentifier:
    return TrackingIdentifier(uid=structure.tracking.uid, identifier=structure.tracking.identifier)


def _finding(segment: Segment) -> dict[str, object]:
    """Finding category, type and site; the side only where dicom.toml fixes it."""
    laterality = coded(segment.laterality) if segment.laterality else None
    sites = [FindingSite(coded(segment.region), laterality=laterality)] if segment.region else None
    return {
        "finding_category": coded(segment.category),
        "finding_type": coded(segment.type),
        "finding_sites": sites,
    }


def _image_of(frame: Frame) -> SourceImageForRegion:
    numbers = [frame.frame_number] if frame.frame_number else None
    return SourceImageForRegion(frame.sop_class_uid, frame.sop_instance_uid, numbers)


def sizes_in_words(context: Context, regions: Regions, volume: Volume) -> Iterator[str]:
    """A sentence for each structure found, and one for those that were not."""
    for region in regions.found:
        facts = {
            "name": context.hear(region.structure.tracking.identifier),
            "volume": context.number(region.volume_ml, 2),
            "diameter": context.number(region.extent_mm),
        }
        yield context.say(SIZE if volume.has_geometry else SIZE_UNKNOWN, **facts)
    if regions.absent:
        names = context.listed(context.hear(s.tracking.identifier) for s in regions.absent)
        yield context.say(NOT_FOUND, names=names)
