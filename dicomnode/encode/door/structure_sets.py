"""Whether an RT Structure Set's contours lie on the slices they name, under the findings' names (PS3.3 A.19, C.8.8)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import groups, references, tracking_of
from dicomnode.values import Header, Role

PLANE_MM = 0.01
"""Largest distance of a contour's point from its slice."""
PIXELS = 0.51
"""A contour may lie so far outside the centres of the outermost pixels: half a pixel, and rounding."""


def structure_set_faults(expected: Expected) -> Iterator[str]:
    """Contours off their slice or their image, regions without contour or name, other frames of reference."""
    dataset = expected.of(Role.RTSTRUCT)
    if dataset is None:
        return
    yield from _region_faults(dataset)
    yield from _place_faults(dataset, expected)
    yield from _tracking_faults(dataset, expected)
    for region in dataset.get("ROIContourSequence") or ():
        contours = region.get("ContourSequence") or ()
        if not contours:
            yield f"RTSTRUCT: region {region.get('ReferencedROINumber')} has no contour"
        for contour in contours:
            yield from _contour_faults(contour, expected)


def _region_faults(dataset: Dataset) -> Iterator[str]:
    """Every region has a name, contours and an observation, by one number; and nobody approved any."""
    regions = dataset.get("StructureSetROISequence") or ()
    numbers = [region.get("ROINumber") for region in regions]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"RTSTRUCT: region numbers {numbers} do not count from 1"
    for sequence in ("ROIContourSequence", "RTROIObservationsSequence"):
        if [item.get("ReferencedROINumber") for item in dataset.get(sequence) or ()] != numbers:
            yield f"RTSTRUCT: {sequence} does not speak of every region once"
    if any(not region.get("ROIName") for region in regions):
        yield "RTSTRUCT: a region has no name"
    if any(region.get("ROIGenerationAlgorithm") != "AUTOMATIC" for region in regions):
        yield "RTSTRUCT: a region is not said to be AUTOMATIC"
    if dataset.get("ApprovalStatus") != "UNAPPROVED":
        yield "RTSTRUCT: it is not UNAPPROVED"


def _place_faults(dataset: Dataset, expected: Expected) -> Iterator[str]:
    """One frame of reference, that of the images; and the study and series that the contours' images belong to."""
    places = dataset.get("ReferencedFrameOfReferenceSequence") or ()
    named = [item.get("FrameOfReferenceUID") for item in (dataset, *places)]
    named += [r.get("ReferencedFrameOfReferenceUID") for r in dataset.get("StructureSetROISequence") or ()]
    studies = [study for place in places for study in place.get("RTReferencedStudySequence") or ()]
    if [study.get("ReferencedSOPInstanceUID") for study in studies] != [expected.run.study.study_uid]:
        yield "RTSTRUCT: it does not name its study"
    images: set[str] = set()
    for series in (series for study in studies for series in study.get("RTReferencedSeriesSequence") or ()):
        for _, uid in references(series):
            images.add(uid)
            if expected.known.get(uid, ("", ""))[1] != series.get("SeriesInstanceUID"):
                yield f"RTSTRUCT: names {uid} in series {series.get('SeriesInstanceUID')}, where it is not"
    headers = [header for uid in sorted(images) if (header := expected.header_of(uid))]
    if {str(uid) for uid in named} != {header.text("FrameOfReferenceUID") for header in headers}:
        yield "RTSTRUCT: another frame of reference than its images"
    drawn = {uid for region in dataset.get("ROIContourSequence") or () for _, uid in references(region)}
    yield from (f"RTSTRUCT: draws on {uid}, which is not among its images" for uid in sorted(drawn - images))


def _contour_faults(contour: Dataset, expected: Expected) -> Iterator[str]:
    points = np.array(contour.get("ContourData") or (), float)
    if contour.get("ContourGeometricType") != "CLOSED_PLANAR":
        yield f"RTSTRUCT: a contour is {contour.get('ContourGeometricType')}, not CLOSED_PLANAR"
    if points.size < 9 or points.size != 3 * int(contour.get("NumberOfContourPoints") or 0):
        yield "RTSTRUCT: a contour has not the number of points that it says"
        return
    image = (contour.get("ContourImageSequence") or [Dataset()])[0]
    header = expected.header_of(str(image.get("ReferencedSOPInstanceUID")))
    if header is None:
        yield "RTSTRUCT: a contour names no image of the study"
        return
    yield from _off_slice(points.reshape(-1, 3), header, int(image.get("ReferencedFrameNumber") or 1))


def _off_slice(points: NDArray[np.float64], header: Header, frame: int) -> Iterator[str]:
    """Where points in LPS mm leave the slice or its edges (PS3.3 C.7.6.2.1.1)."""
    at = 3 * (frame - 1)
    origin, direction = (
        np.array(header.numbers("ImagePositionPatient")[at : at + 3]),
        header.numbers("ImageOrientationPatient"),
    )
    spacing = np.array(header.numbers("PixelSpacing"))
    if origin.size != 3 and header.text("NumberOfFrames"):
        return  # the index keeps no positions of so long an image
    if origin.size != 3 or len(direction) != 6 or spacing.size != 2:
        yield "RTSTRUCT: a contour's image lies nowhere"
        return
    row, column = np.array(direction[:3]), np.array(direction[3:])
    away = points - origin
    off_mm = float(np.abs(away @ np.cross(row, column)).max())
    if off_mm > PLANE_MM:
        yield f"RTSTRUCT: a contour lies {off_mm:.2f} mm off its slice"
    index = np.column_stack([away @ row / spacing[1], away @ column / spacing[0]])
    size = np.array([float(header.text("Columns") or 0), float(header.text("Rows") or 0)])
    if (index < -PIXELS).any() or (index > size - 1 + PIXELS).any():
        yield "RTSTRUCT: a contour lies outside its image"


def _tracking_faults(dataset: Dataset, expected: Expected) -> Iterator[str]:
    """Each region has the name of a finding in the report, and is tracked under its UID."""
    document = expected.of(Role.SR)
    if document is None:
        return
    known = {identifier[:64]: uid for identifier, uid in (tracking_of(group) for group in groups(document))}
    for region in dataset.get("StructureSetROISequence") or ():
        name = str(region.get("ROIName") or "")
        if name not in known:
            yield "RTSTRUCT: a region has a name that no finding of the report has"
        volume = (region.get("ConceptualVolumeIdentificationSequence") or [Dataset()])[0]
        if str(volume.get("ConceptualVolumeUID") or "") not in known.values():
            yield f"RTSTRUCT: region {region.get('ROINumber')} is not tracked as a finding of the report is"
