"""The structures found as an RT Structure Set: contours on every slice, for planning systems that take only that."""

from collections.abc import Iterable, Iterator

import numpy as np
from highdicom.color import CIELabColor
from numpy.typing import NDArray
from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.sequence import Sequence as Items

from dicomnode.encode.blank import blank
from dicomnode.encode.concepts import VOLUME, coded
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import algorithm_sequence, settle
from dicomnode.encode.outlines import Outline, outlined, with_keyholes, without_straight_points
from dicomnode.encode.shown import Shown
from dicomnode.encode.told import Told
from dicomnode.encode.tracking import ORGANS
from dicomnode.values import Frame, Role, Volume

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management: the class that a reference to a study is given (PS3.3 C.8.8.5)."""
CONTOUR_DATA = tag_for_keyword("ContourData") or 0
DECIMALS = 4
"""Of a coordinate in mm: a tenth of a micrometre, and far from the 16 characters of a DS."""


def structure_set(told: Told) -> Dataset | None:
    """The RT Structure Set of the findings with outlines; None where nothing was segmented, and for a projection.

    Source: PS3.3 A.19, C.8.8.5, C.8.8.6, C.8.8.8.
    """
    volume = told.volume
    if volume is None or not volume.has_geometry or not volume.frame_of_reference_uid:
        return None
    drawn = [(one, found) for one, found in outlined(told) if found and one.label is not None]
    if not drawn:
        return None
    dataset = blank(told.context, Role.RTSTRUCT, RT_STRUCTURE_SET, "RTSTRUCT")
    _describe(dataset, told, volume)
    dataset.ReferencedFrameOfReferenceSequence = Items([_images(told.context, volume)])
    numbered = list(enumerate(drawn, 1))
    dataset.StructureSetROISequence = Items([_roi(n, one, told, volume) for n, (one, _) in numbered])
    dataset.ROIContourSequence = Items([_contours(n, one, found, volume) for n, (one, found) in numbered])
    dataset.RTROIObservationsSequence = Items([_observation(n, one) for n, (one, _) in numbered])
    settle(dataset, told.context)
    return dataset


def contour_mm(points: NDArray[np.float64], k: int, volume: Volume) -> NDArray[np.float64]:
    """Image coordinates (column, row) on slice k as points (n, 3) in LPS mm."""
    index = np.column_stack([points - 0.5, np.full(len(points), k), np.ones(len(points))])
    return np.asarray(index @ volume.affine_lps[:3].T)


def _describe(dataset: Dataset, told: Told, volume: Volume) -> None:
    """What the set is, and that nobody has approved it."""
    context = told.context
    dataset.OperatorsName = ""  # type 2; no person made it
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = volume.frame_of_reference_uid, ""
    dataset.StructureSetLabel, dataset.StructureSetName = "AI RESULT", context.description
    dataset.StructureSetDate, dataset.StructureSetTime = f"{context.made_at:%Y%m%d}", f"{context.made_at:%H%M%S}"
    dataset.StructureSetDescription = told.content.summary[:1024]
    dataset.ApprovalStatus = "UNAPPROVED"


def _images(context: Context, volume: Volume) -> Dataset:
    """Every image of the series in its frame of reference."""
    place, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = volume.series_uid
    uids = dict.fromkeys((frame.sop_class_uid, frame.sop_instance_uid) for frame in volume.frames)
    series.ContourImageSequence = Items([_reference(*uid) for uid in uids])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = STUDY_CLASS, context.source.StudyInstanceUID
    study.RTReferencedSeriesSequence = Items([series])
    place.FrameOfReferenceUID = volume.frame_of_reference_uid
    place.RTReferencedStudySequence = Items([study])
    return place


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def _roi(number: int, one: Shown, told: Told, volume: Volume) -> Dataset:
    """A region of interest named by its tracking identifier; its tracking UID is that of its conceptual volume."""
    roi = Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID = number, volume.frame_of_reference_uid
    roi.ROIName = one.tracking.identifier[:64]
    roi.ROIDescription = f"AI result, not verified. {told.caution}".strip()
    roi.ROIGenerationAlgorithm = "AUTOMATIC"
    roi.ROIDerivationAlgorithmIdentificationSequence = algorithm_sequence(told.context)
    tracked = Dataset()
    tracked.ConceptualVolumeUID = one.tracking.uid
    roi.ConceptualVolumeIdentificationSequence = Items([tracked])
    measured = [f.value for f in one.figures if f.name == VOLUME and not f.on_slice]
    if measured:
        roi.ROIVolume = f"{measured[0]:.4f}"  # cm³
    return roi


def _contours(number: int, one: Shown, found: Iterable[Outline], volume: Volume) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    colour = CIELabColor(*one.cielab)
    item.ROIDisplayColor, item.RecommendedDisplayCIELabValue = list(colour.to_rgb()), list(colour.value)
    lines = ((outline.slice, without_straight_points(with_keyholes(outline))) for outline in found)
    item.ContourSequence = Items(_numbered(_contour(points, k, volume) for k, points in lines))
    return item


def _numbered(contours: Iterable[Dataset]) -> Iterator[Dataset]:
    for number, contour in enumerate(contours, 1):
        contour.ContourNumber = number
        yield contour


def _contour(points: NDArray[np.float64], k: int, volume: Volume) -> Dataset:
    """One closed line on its image; the first point is not repeated (PS3.3 C.8.8.6.1)."""
    contour, places = Dataset(), contour_mm(points[:-1], k, volume)
    contour.ContourImageSequence = Items([_on(volume.frames[k])])
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(places)
    data = [f"{value:.{DECIMALS}f}" for value in (places + 0.0).ravel().tolist()]
    contour.add(DataElement(CONTOUR_DATA, "DS", data, already_converted=True))  # a DS each is 20 times as slow
    return contour


def _on(frame: Frame) -> Dataset:
    item = _reference(frame.sop_class_uid, frame.sop_instance_uid)
    if frame.frame_number is not None:
        item.ReferencedFrameNumber = frame.frame_number
    return item


def _observation(number: int, one: Shown) -> Dataset:
    """What the region is; a role in the treatment is never claimed."""
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.ROIObservationLabel = one.tracking.identifier[:16]
    is_organ = one.category is not None and (one.category.value, one.category.scheme) in ORGANS
    item.RTROIInterpretedType = "ORGAN" if is_organ else ""
    item.ROIInterpreter = ""
    item.RTROIIdentificationCodeSequence = Items([coded(one.concept)])
    if one.category is not None:
        item.SegmentedPropertyCategoryCodeSequence = Items([coded(one.category)])
    if one.site is not None:
        item.AnatomicRegionSequence = Items([coded(one.site)])
    return item
