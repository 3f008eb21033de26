"""A label map as a DICOM Segmentation (BINARY: the type that viewers draw in the right place and colour)."""

from collections import Counter

import numpy as np
from highdicom import PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from highdicom.seg import Segmentation as SegmentationObject
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.encode.concepts import coded
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import algorithm_sequence, identity, settle
from dicomnode.encode.grid import pixel_measures, settle_dimensions
from dicomnode.encode.regions import Region, Regions
from dicomnode.encode.segment_frames import functional_groups, occupied, packed, position_of
from dicomnode.errors import SeriesRefused
from dicomnode.values import Role, Volume


def segmentation(context: Context, volume: Volume, labels: NDArray[np.uint8], regions: Regions) -> Dataset:
    """The SEG of the segments found; slices without any are left out.

    Args:
        context: the run and its sources.
        volume: the grid that the labels lie on.
        labels: (slice, row, column), as in `values.Segmentation`.
        regions: what `regions_of` found; at least one region.

    Source: PS3.3 A.51, C.8.20.
    """
    require_one_source(volume, context.sources.headers)
    frames, measures = occupied(labels, regions.found), pixel_measures(context, volume)
    seg: Dataset = SegmentationObject(
        source_images=list(context.sources.headers),
        pixel_array=np.zeros((1, *labels.shape[1:]), np.uint8),
        plane_positions=[_first_position(context, volume)],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(context, region) for region in regions.found],
        pixel_measures=measures,
        omit_empty_frames=False,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="AI_RESULT",
        content_description=context.description,
        **identity(context, Role.SEG),
    )
    seg.ContentCreatorName = ""  # type 2; no person made it
    settle(seg, context)
    settle_dimensions(seg, context, Role.SEG)
    shared = seg.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = measures  # highdicom makes the gap of one slice 1 mm
    if "SegmentIdentificationSequence" in shared:
        del shared.SegmentIdentificationSequence
    seg.PerFrameFunctionalGroupsSequence = functional_groups(frames, volume, context.sources.headers)
    seg.NumberOfFrames = len(frames)
    seg.add_new("PixelData", "OB", packed(labels, frames))
    return seg


def require_one_source(volume: Volume, sources: tuple[Dataset, ...]) -> None:
    """The images that a SEG may come from.

    Raises:
        SeriesRefused: the volume was read from several multi-frame instances, or shares one frame twice.
    """
    if volume.frames[0].frame_number is None:
        return
    if len(sources) != 1:
        raise SeriesRefused("the volume comes from several multi-frame instances: a SEG refers to one")
    frames = [frame.frame_number for frame in volume.frames]
    if max(Counter(frames).values()) > 1:
        raise SeriesRefused("two slices of the volume come from one frame")


def _first_position(context: Context, volume: Volume) -> PlanePositionSequence:
    """Where the one empty slice lies that highdicom describes the object by; its frames are made afterwards."""
    position = position_of(volume.frames[0], context.sources.headers[0])
    return PlanePositionSequence("PATIENT", [float(coordinate) for coordinate in position])


def _described(context: Context, region: Region) -> SegmentDescription:
    segment, track = region.structure.segment, region.structure.tracking
    description = SegmentDescription(
        segment_number=region.number,
        segment_label=track.identifier[:64],
        segmented_property_category=coded(segment.category),
        segmented_property_type=coded(segment.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm_sequence(context),
        tracking_uid=track.uid,
        tracking_id=track.identifier,
        anatomic_regions=[coded(segment.region)] if segment.region else None,
        display_color=CIELabColor(*segment.cielab),
    )
    if segment.laterality:
        modifier = coded(segment.laterality)
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [modifier]
    return description
