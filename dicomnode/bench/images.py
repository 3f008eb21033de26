"""Images to send: made once in memory, written again with fresh UIDs for each run."""

import uuid
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

STUDY, SERIES, INSTANCE = (f"2.25.{digit * 38}" for digit in "123")
"""Stand in for UIDs of 43 characters in a template."""
FRAME_SIDE = 512


def ct_template(side: int) -> bytes:
    """One encoded CT image, side × side pixels of 16 bits with noise that no one can compress."""
    image = _image(CTImageStorage, "CT", side)
    image.ImageType, image.KVP, image.ConvolutionKernel = ["ORIGINAL", "PRIMARY", "AXIAL"], "120", "B30f"
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = "1", "-1024", "HU"
    image.ImagePositionPatient, image.ImageOrientationPatient = ["0", "0", "0"], ["1", "0", "0", "0", "1", "0"]
    image.PixelSpacing, image.SliceThickness, image.FrameOfReferenceUID = ["0.7", "0.7"], "1", SERIES
    image.PatientPosition, image.BodyPartExamined, image.ProtocolName = "HFS", "CHEST", "Thorax"
    image.PixelData = np.random.default_rng(side).integers(0, 4096, (side, side), np.uint16).tobytes()
    return _encoded(image)


def write_fresh(template: bytes, folder: Path, count: int) -> None:
    """Write so many images of one new study."""
    folder.mkdir(parents=True, exist_ok=True)
    study = _fresh(template, STUDY)
    series = _fresh(study, SERIES)
    for number in range(count):
        (folder / f"{number:05d}.dcm").write_bytes(_fresh(series, INSTANCE))


def write_multi_frame(path: Path, frames: int) -> int:
    """Write one instance of so many frames of 0.5 MB each, with little memory; its size in bytes."""
    image = _image(MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "OT", FRAME_SIDE)
    image.NumberOfFrames, image.ConversionType = frames, "SYN"
    image.PixelData = b"\0\0"
    head = _fresh(_fresh(_fresh(_encoded(image), STUDY), SERIES), INSTANCE)[:-6]
    frame = np.random.default_rng(1).integers(0, 4096, (FRAME_SIDE, FRAME_SIDE), np.uint16).tobytes()
    with path.open("wb") as file:
        file.write(head + (frames * len(frame)).to_bytes(4, "little"))
        for _ in range(frames):
            file.write(frame)
    return path.stat().st_size


def _image(sop_class: str, modality: str, side: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = sop_class, INSTANCE
    image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, SERIES
    image.SpecificCharacterSet, image.Modality = "ISO_IR 100", modality
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "Bench^Image", "BENCH", "", "O"
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = "20260101"
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = "101112"
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "1", "", ""
    image.StudyDescription, image.SeriesDescription, image.SeriesNumber = "Bench", "Bench", "1"
    image.Manufacturer, image.InstanceNumber = "dicomnode bench", "1"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows = image.Columns = side
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    return image


def _encoded(image: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    return buffer.getvalue()


def _fresh(encoded: bytes, placeholder: str) -> bytes:
    uid = f"2.25.1{uuid.uuid4().int % 10**37:037d}"
    return encoded.replace(placeholder.encode(), uid.encode())
