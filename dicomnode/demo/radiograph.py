"""A child's chest radiograph of the Kermany collection as a DX image."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import DigitalXRayImageStorageForPresentation

from dicomnode.demo.image import Origin, code_item, demo_image

COMMENTS = (
    "Frontal (anterior-posterior) chest radiograph of a child, from Kermany D., Zhang K., Goldbaum M., Labeled Optical "
    "Coherence Tomography (OCT) and Chest X-Ray Images for Classification, Mendeley Data, doi:10.17632/rscbjbr9sj "
    "(Guangzhou Women and Children's Medical Center; Kermany et al., Cell 172, 1122-1131, 2018). "
    "Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. Changed: resized to {rows} x {columns} pixels "
    "without keeping the aspect, converted from JPEG by dicomnode. The children were 1 to 5 years old; each one's age "
    "is not published, 003Y stands for it. Pixel spacing is a placeholder. Name, ID and dates are made up. "
    "Not for clinical use."
)
JPEG_RATIO = "7.3"
"""About how far the collection's JPEG files are compressed (8 bits a pixel to their size)."""


def radiograph(pixels: NDArray[Any], name: str) -> Dataset:
    """A decoded radiograph as one DX image for presentation.

    Args:
        pixels: (row, column), grey, 8 bits.
        name: of the image; UIDs and the patient's name follow from it, without giving it away (it may hold the
            diagnosis).

    Raises:
        ValueError: no grey 8-bit image.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ValueError(f"no grey 8-bit image: {pixels.dtype} {pixels.shape}")
    image = demo_image(_origin(name, pixels.shape), DigitalXRayImageStorageForPresentation, "DX")
    image.PatientAge = "003Y"
    _add_view(image)
    _add_detector(image)
    _add_pixels(image, pixels)
    return image


def _origin(name: str, shape: tuple[int, ...]) -> Origin:
    return Origin(
        name=f"kermany {name}",
        family="Chest",
        number=hashlib.sha256(name.encode()).hexdigest()[:6].upper(),
        study_description="Chest radiograph",
        comments=COMMENTS.format(rows=shape[0], columns=shape[1]),
        deidentified_by="By the publishers of the collection",
    )


def _add_view(image: Dataset) -> None:
    """Anatomy and positioning (PS3.3 C.8.11.2, C.8.11.5): shown as seen from the front, heart to the right."""
    image.BodyPartExamined, image.ImageLaterality, image.ViewPosition = "CHEST", "U", "AP"
    image.AnatomicRegionSequence = Items([code_item("51185008", "SCT", "Chest")])
    view = code_item("399348003", "SCT", "antero-posterior")
    view.ViewModifierCodeSequence = Items([])
    image.ViewCodeSequence = Items([view])
    image.PatientOrientation = ["L", "F"]


def _add_detector(image: Dataset) -> None:
    """Detector, image and acquisition context as far as known (PS3.3 C.8.11.4, C.8.11.3)."""
    image.PresentationIntentType = "FOR PRESENTATION"
    image.ImageType = ["DERIVED", "PRIMARY"]
    image.DerivationDescription = "Resized by the collection; converted from JPEG to DICOM by dicomnode"
    image.DetectorType = image.PositionerType = ""
    image.ImagerPixelSpacing = ["1", "1"]
    image.AcquisitionContextSequence = Items([])
    image.BurnedInAnnotation = "NO"
    image.LossyImageCompression, image.LossyImageCompressionRatio = "01", JPEG_RATIO
    image.LossyImageCompressionMethod = "ISO_10918_1"


def _add_pixels(image: Dataset, pixels: NDArray[Any]) -> None:
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    image.PixelIntensityRelationship, image.PixelIntensityRelationshipSign = "LOG", -1
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "US"
    image.PresentationLUTShape = "IDENTITY"
    image.WindowCenter, image.WindowWidth = "127.5", "256"
    image.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
