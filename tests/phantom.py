"""DICOM images made in memory, with numbers a reader can predict.

The real-world value of voxel (slice k, row j, column i) is 1000 k + 10 j + i, whatever is stored. Slice k lies at
origin + k × spacing along the normal (row direction × column direction). UIDs follow from names: the same call
gives the same bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dicomnode.index.headers import header_of
from dicomnode.values import Instance, Series, Study

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
PT = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED = {
    "CT": "1.2.840.10008.5.1.4.1.1.2.1",
    "MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "PT": "1.2.840.10008.5.1.4.1.1.130",
}
DX = "1.2.840.10008.5.1.4.1.1.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
US = "1.2.840.10008.5.1.4.1.1.6.1"

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
"""Row and column direction, orthonormal: (0.8, 0.6, 0) · (-0.36, 0.48, 0.8) = 0."""


@dataclass(frozen=True)
class Subject:
    """Whose study it is."""

    patient_id: str = "PHANTOM-1"
    patient_name: str = "Phantom^One"
    birth_date: str = "19700102"
    sex: str = "O"
    age: str = "056Y"
    study: str = "study 1"
    """Name that the Study Instance UID follows from."""
    accession: str = "ACC-1"
    study_date: str = "20260304"

    @property
    def study_uid(self) -> str:
        return uid(self.study)


SUBJECT = Subject()


def uid(name: str) -> str:
    """The UID that follows from a name."""
    return str(generate_uid(prefix="1.2.826.0.1.3680043.8.498.", entropy_srcs=[name]))


def numbers(slices: int, rows: int, columns: int) -> NDArray[np.float32]:
    """1000 k + 10 j + i at (k, j, i)."""
    k, j, i = np.indices((slices, rows, columns))
    return (1000 * k + 10 * j + i).astype(np.float32)


def ct_series(
    *,
    slices: int = 5,
    spacing_mm: float = 2.0,
    rows: int = 6,
    columns: int = 8,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
    orientation: Sequence[float] = AXIAL,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    name: str = "CT 1",
    subject: Subject = SUBJECT,
    values: NDArray[np.float32] | None = None,
) -> list[Dataset]:
    """Single-frame CT, slope 1, intercept -1024, in order of position."""
    voxels = numbers(slices, rows, columns) if values is None else values
    places = _positions(len(voxels), spacing_mm, orientation, origin)
    series = [_slice(CT, "CT", name, subject, k, voxels[k] + 1024) for k in range(len(voxels))]
    for image, place in zip(series, places, strict=True):
        _place(image, place, orientation, pixel_mm, spacing_mm)
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.KVP, image.ConvolutionKernel = 120, "B30f"
    return series


def mr_series(
    *,
    slices: int = 5,
    spacing_mm: float = 1.0,
    rows: int = 6,
    columns: int = 8,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
    orientation: Sequence[float] = AXIAL,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    name: str = "MR 1",
    subject: Subject = SUBJECT,
    values: NDArray[np.float32] | None = None,
) -> list[Dataset]:
    """Single-frame MR without rescale, in order of position."""
    voxels = numbers(slices, rows, columns) if values is None else values
    places = _positions(len(voxels), spacing_mm, orientation, origin)
    series = [_slice(MR, "MR", name, subject, k, voxels[k]) for k in range(len(voxels))]
    for image, place in zip(series, places, strict=True):
        _place(image, place, orientation, pixel_mm, spacing_mm)
        image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        image.ScanningSequence, image.SequenceVariant, image.ScanOptions = "GR", "SP", ""
        image.MRAcquisitionType, image.EchoTime, image.EchoTrainLength = "3D", "4", "1"
        image.RepetitionTime = "9"
    return series


def pt_series(
    *, slices: int = 4, spacing_mm: float = 3.0, name: str = "PT 1", subject: Subject = SUBJECT
) -> list[Dataset]:
    """Single-frame PET whose slope differs in each slice: 2 (k + 1); stored value is 1000."""
    series = ct_series(slices=slices, spacing_mm=spacing_mm, name=name, subject=subject)
    for k, image in enumerate(series):
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = PT
        image.Modality, image.RescaleSlope, image.RescaleIntercept = "PT", 2 * (k + 1), 0
        image.RescaleType, image.Units = "BQML", "BQML"
        image.PixelData = np.full((image.Rows, image.Columns), 1000, "<u2").tobytes()
    return series


def enhanced(
    series: Sequence[Dataset], *, name: str = "enhanced 1", reverse_frames: bool = False, subject: Subject = SUBJECT
) -> Dataset:
    """One enhanced multi-frame CT, MR or PT of single-frame images: geometry and rescale in functional groups."""
    ordered = list(reversed(series)) if reverse_frames else list(series)
    first = ordered[0]
    image = _image(ENHANCED[first.Modality], first.Modality, name, subject)
    image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    image.NumberOfFrames, image.InstanceNumber = len(ordered), 1
    image.FrameOfReferenceUID = first.FrameOfReferenceUID
    image.Rows, image.Columns = first.Rows, first.Columns
    _describe_pixels(image)
    image.PixelData = b"".join(single.PixelData for single in ordered)
    image.SharedFunctionalGroupsSequence = Items([_shared_groups(first)])
    image.PerFrameFunctionalGroupsSequence = Items([_frame_groups(single, n) for n, single in enumerate(ordered, 1)])
    return image


def dx_image(
    *,
    rows: int = 6,
    columns: int = 8,
    view: str = "AP",
    inverted: bool = False,
    name: str = "DX 1",
    subject: Subject = SUBJECT,
    values: NDArray[np.float32] | None = None,
) -> Dataset:
    """One radiograph, 12 bits; `inverted` stores 4095 - value as MONOCHROME1."""
    pixels = numbers(1, rows, columns)[0] if values is None else values
    image = _image(DX, "DX", name, subject)
    image.ImageType, image.PresentationIntentType = ["ORIGINAL", "PRIMARY"], "FOR PRESENTATION"
    image.ViewPosition, image.BodyPartExamined, image.ImageLaterality = view, "CHEST", "U"
    image.PixelSpacing = image.ImagerPixelSpacing = ["0.2", "0.3"]
    image.PatientOrientation, image.InstanceNumber = ["L", "F"], 1
    image.Rows, image.Columns = pixels.shape
    _describe_pixels(image, bits_stored=12)
    image.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    image.PixelData = (4095 - pixels if inverted else pixels).astype("<u2").tobytes()
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "US"
    return image


def cr_image(*, view: str = "PA", name: str = "CR 1", subject: Subject = SUBJECT) -> Dataset:
    """One computed radiograph."""
    image = dx_image(view=view, name=name, subject=subject)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CR
    image.Modality = "CR"
    return image


def us_image(*, rows: int = 6, columns: int = 8, name: str = "US 1", subject: Subject = SUBJECT) -> Dataset:
    """One RGB ultrasound image: red is 10 j, green 10 i, blue 0."""
    image = _image(US, "US", name, subject)
    j, i = np.indices((rows, columns))
    rgb = np.stack([10 * j, 10 * i, 0 * i], axis=-1).astype("u1")
    image.ImageType, image.InstanceNumber = ["ORIGINAL", "PRIMARY"], 1
    image.Rows, image.Columns, image.SamplesPerPixel = rows, columns, 3
    image.PhotometricInterpretation, image.PlanarConfiguration = "RGB", 0
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.PixelData = rgb.tobytes()
    return image


def write(datasets: Iterable[Dataset], folder: Path) -> list[Path]:
    """Write each as a DICOM Part 10 file named by its SOP Instance UID."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in datasets:
        path = folder / f"{dataset.SOPInstanceUID}.dcm"
        path.write_bytes(encoded(dataset))
        paths.append(path)
    return paths


def encoded(dataset: Dataset) -> bytes:
    """One data set as a DICOM Part 10 file."""
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def study_of(images: Iterable[Dataset | Path]) -> Study:
    """The study of these images as the index would give it: data sets in memory, or files."""
    instances = [instance_of(image, key) for key, image in enumerate(images, 1)]
    uids = dict.fromkeys(instance.series_uid for instance in instances)
    series = tuple(Series(u, tuple(i for i in instances if i.series_uid == u)) for u in uids)
    return Study(1, instances[0].study_uid, series)


def series_of(images: Iterable[Dataset | Path]) -> Series:
    """The only series of these images."""
    (series,) = study_of(images).series
    return series


def instance_of(image: Dataset | Path, key: int = 1) -> Instance:
    """One image as the index would give it."""
    dataset = dcmread(image) if isinstance(image, Path) else image
    raw = image.read_bytes() if isinstance(image, Path) else encoded(dataset)
    return Instance(
        instance_key=key,
        sop_instance_uid=str(dataset.SOPInstanceUID),
        sop_class_uid=str(dataset.SOPClassUID),
        series_uid=str(dataset.SeriesInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        content_digest=hashlib.sha256(raw[144 + int.from_bytes(raw[140:144], "little") :]).hexdigest(),
        path=image if isinstance(image, Path) else Path(f"{dataset.SOPInstanceUID}.dcm"),
        header=header_of(dataset),
    )


def _slice(sop_class: str, modality: str, name: str, subject: Subject, k: int, stored: NDArray[np.float32]) -> Dataset:
    image = _image(sop_class, modality, name, subject, number=k + 1)
    image.InstanceNumber, image.AcquisitionNumber = k + 1, 1
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = uid(f"{subject.study} frame of reference"), ""
    image.Rows, image.Columns = stored.shape
    _describe_pixels(image)
    image.PixelData = stored.astype("<u2").tobytes()
    return image


def _image(sop_class: str, modality: str, name: str, subject: Subject, *, number: int = 1) -> Dataset:
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID, image.SOPInstanceUID = sop_class, uid(f"{subject.study} {name} {number}")
    image.StudyInstanceUID, image.SeriesInstanceUID = subject.study_uid, uid(f"{subject.study} {name}")
    image.PatientID, image.PatientName = subject.patient_id, subject.patient_name
    image.PatientBirthDate, image.PatientSex, image.PatientAge = subject.birth_date, subject.sex, subject.age
    image.AccessionNumber, image.StudyID, image.ReferringPhysicianName = subject.accession, "1", "Referrer^Rita"
    image.StudyDate = image.SeriesDate = image.ContentDate = image.AcquisitionDate = subject.study_date
    image.StudyTime = image.SeriesTime = image.ContentTime = image.AcquisitionTime = "101112"
    image.Modality, image.SeriesDescription, image.SeriesNumber = modality, name, 1
    image.Manufacturer, image.ManufacturerModelName = "Phantom Makers", "P1"
    image.PatientPosition, image.Laterality = "HFS", ""
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = (
        sop_class,
        image.SOPInstanceUID,
    )
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def _describe_pixels(image: Dataset, *, bits_stored: int = 16) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits_stored, bits_stored - 1
    image.PixelRepresentation = 0


def _positions(
    slices: int, spacing_mm: float, orientation: Sequence[float], origin: Sequence[float]
) -> list[NDArray[np.float64]]:
    normal = np.cross(orientation[:3], orientation[3:])
    return [np.asarray(origin) + k * spacing_mm * normal for k in range(slices)]


def _place(
    image: Dataset,
    position: NDArray[np.float64],
    orientation: Sequence[float],
    pixel_mm: tuple[float, float],
    thickness_mm: float,
) -> None:
    image.ImagePositionPatient = [f"{value:.9g}" for value in position + 0.0]
    image.ImageOrientationPatient = [f"{value:.9g}" for value in orientation]
    image.PixelSpacing = [f"{value:.9g}" for value in pixel_mm]
    image.SliceThickness = f"{thickness_mm:.9g}"


def _shared_groups(first: Dataset) -> Dataset:
    measures, plane, groups = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, first.SliceThickness
    plane.ImageOrientationPatient = first.ImageOrientationPatient
    groups.PixelMeasuresSequence, groups.PlaneOrientationSequence = Items([measures]), Items([plane])
    return groups


def _frame_groups(single: Dataset, number: int) -> Dataset:
    place, content, rescale, groups = Dataset(), Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = single.ImagePositionPatient
    content.DimensionIndexValues, content.StackID, content.InStackPositionNumber = [1, number], "1", number
    rescale.RescaleSlope, rescale.RescaleIntercept = single.get("RescaleSlope", 1), single.get("RescaleIntercept", 0)
    rescale.RescaleType = single.get("RescaleType", "US")
    groups.PlanePositionSequence, groups.FrameContentSequence = Items([place]), Items([content])
    groups.PixelValueTransformationSequence = Items([rescale])
    return groups
