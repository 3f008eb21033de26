"""CT slices that were published as pictures, as Secondary Capture images of a CT: what a site would have of them."""

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicomnode.bench.learning_data import Picture
from dicomnode.demo.image import Origin, demo_image, uid_of

COMMENTS = "A CT slice published as a picture; window and spacing are unknown. Name, ID and dates are made up."


def secondary_capture(one: Picture, hospital: str, description: str, again: str = "") -> Dataset:
    """One picture as a study of its own; the group stands for the patient.

    Args:
        one: the picture.
        hospital: Institution Name, and part of every UID.
        description: Study Description.
        again: makes another study of the same picture.
    """
    name = f"{hospital} {one.path.stem} {again}"
    origin = Origin(name, "Slice", one.group, description, COMMENTS, "By its publishers")
    image = demo_image(origin, SecondaryCaptureImageStorage, "CT")
    image.PatientID, image.PatientName = f"{hospital}-{one.group}", f"Bench^{hospital}^{one.group}"
    image.AccessionNumber = ""
    image.InstitutionName, image.Manufacturer, image.ConversionType = hospital, hospital, "WSD"
    image.PatientOrientation, image.BurnedInAnnotation, image.BodyPartExamined = "", "NO", "CHEST"
    image.SeriesInstanceUID = uid_of(name, "series")
    _add_pixels(image, np.asarray(Image.open(one.path).convert("L")))
    return image


def _add_pixels(image: Dataset, pixels: np.ndarray) -> None:
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    odd = b"\0" if pixels.size % 2 else b""
    image.PixelData = pixels.tobytes() + odd
    image["PixelData"].VR = "OB"
