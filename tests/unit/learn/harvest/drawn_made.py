"""Segmentations and structure sets as a reader's software writes them."""

from collections.abc import Sequence

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.learn.harvest.grid import SourceGrid, source_grid
from dicomnode.learn.harvest.structure_sets import RT_STRUCTURE_SET
from tests.phantom import uid

ANATOMY = CodedConcept("123037004", "SCT", "Anatomical Structure")
LUNG = CodedConcept("39607008", "SCT", "Lung")
MANUAL, AUTOMATIC = SegmentAlgorithmTypeValues.MANUAL, SegmentAlgorithmTypeValues.AUTOMATIC
BINARY, LABELMAP = SegmentationTypeValues.BINARY, SegmentationTypeValues.LABELMAP
ALGORITHM = AlgorithmIdentificationSequence("another vendor's", CodedConcept("123109", "DCM", "Manual"), "1")


def random_map(shape: tuple[int, ...], labels: int = 2, seed: int = 7) -> NDArray[np.uint8]:
    """A label map in which every voxel is told from its neighbours."""
    return np.random.default_rng(seed).integers(0, labels + 1, shape).astype(np.uint8)


def described(number: int, label: str, how: SegmentAlgorithmTypeValues = MANUAL) -> SegmentDescription:
    """One segment."""
    algorithm = None if how is MANUAL else ALGORITHM
    return SegmentDescription(number, label, ANATOMY, LUNG, how, algorithm_identification=algorithm)


def segmentation(
    images: Sequence[Dataset],
    labels: NDArray[np.uint8],
    names: Sequence[str] = ("Bright",),
    *,
    kind: SegmentationTypeValues = BINARY,
    how: SegmentAlgorithmTypeValues = MANUAL,
    creator: str | None = "Reader^One",
    name: str = "reader's SEG",
) -> Dataset:
    """A SEG of a label map (image, row, column), in the images' order; segment n is label n."""
    seg: Dataset = Segmentation(
        source_images=list(images),
        pixel_array=labels,
        segmentation_type=kind,
        segment_descriptions=[described(n, one, how) for n, one in enumerate(names, 1)],
        series_instance_uid=uid(f"series of {name}"),
        series_number=80,
        sop_instance_uid=uid(name),
        instance_number=1,
        manufacturer="Reading room",
        manufacturer_model_name="Viewer",
        software_versions="1",
        device_serial_number="1",
        content_creator_name=creator,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    seg.ContentDate, seg.ContentTime = "20260304", "120000"
    return seg


def shuffled_frames(seg: Dataset, order: Sequence[int]) -> Dataset:
    """The same BINARY segmentation with its frames in another order; frames are whole bytes."""
    pixels = seg.pixel_array
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    groups = seg.PerFrameFunctionalGroupsSequence
    seg.PerFrameFunctionalGroupsSequence = Items([groups[n] for n in order])
    bits = np.packbits(pixels[list(order)].astype(np.uint8).ravel(), bitorder="little")
    seg.PixelData = bits.tobytes() + bytes(len(bits) % 2)
    return seg


def structure_set(
    images: Sequence[Dataset],
    regions: dict[str, list[tuple[int, list[tuple[float, float]]]]],
    *,
    how: str = "MANUAL",
    reviewer: str = "Reader^One",
    name: str = "reader's RTSTRUCT",
) -> Dataset:
    """An RT Structure Set; a contour is (image, corners), a corner (column, row), a pixel's centre a whole number."""
    first = images[0]
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = RT_STRUCTURE_SET
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid(name)
    made.SpecificCharacterSet, made.Modality, made.ReviewerName = "ISO_IR 192", "RTSTRUCT", reviewer
    made.StudyInstanceUID, made.SeriesInstanceUID = first.StudyInstanceUID, uid(f"series of {name}")
    made.PatientID, made.PatientName, made.AccessionNumber = first.PatientID, first.PatientName, first.AccessionNumber
    made.StructureSetDate, made.StructureSetTime, made.ApprovalStatus = "20260304", "120000", "APPROVED"
    made.ReferencedFrameOfReferenceSequence = Items([_place(images)])
    made.StructureSetROISequence = Items([_region(n, one, first, how) for n, one in enumerate(regions, 1)])
    made.ROIContourSequence = Items([_contours(n, images, found) for n, found in enumerate(regions.values(), 1)])
    return made


def grid_of(images: Sequence[Dataset], series: object) -> SourceGrid:
    """The grid of a 3D model that takes these images."""
    return source_grid(series, SeriesRules(modalities=(images[0].Modality,)))  # type: ignore[arg-type]


def _place(images: Sequence[Dataset]) -> Dataset:
    place, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ContourImageSequence = Items([_reference(image) for image in images])
    study.RTReferencedSeriesSequence = Items([series])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", images[0].StudyInstanceUID
    place.FrameOfReferenceUID, place.RTReferencedStudySequence = images[0].FrameOfReferenceUID, Items([study])
    return place


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return item


def _region(number: int, name: str, image: Dataset, how: str) -> Dataset:
    region = Dataset()
    region.ROINumber, region.ROIName, region.ROIGenerationAlgorithm = number, name, how
    region.ReferencedFrameOfReferenceUID = image.FrameOfReferenceUID
    return region


def _contours(number: int, images: Sequence[Dataset], found: list[tuple[int, list[tuple[float, float]]]]) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    item.ContourSequence = Items([_contour(images[k], corners) for k, corners in found])
    return item


def _contour(image: Dataset, corners: list[tuple[float, float]]) -> Dataset:
    direction = np.array(image.ImageOrientationPatient, float)
    rows_mm, columns_mm = (float(mm) for mm in image.PixelSpacing)
    origin = np.array(image.ImagePositionPatient, float)
    points = [origin + i * columns_mm * direction[:3] + j * rows_mm * direction[3:] for i, j in corners]
    contour = Dataset()
    contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
    contour.ContourData = [f"{mm:.4f}" for point in points for mm in point]
    contour.ContourImageSequence = Items([_reference(image)])
    return contour
