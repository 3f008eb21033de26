"""The summary as a Secondary Capture: one colour picture that any viewer shows."""

import numpy as np
from highdicom.frame import encode_frame
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage

from dicomnode.encode.pictures.plain import drawn_at_the_node, shown_images
from dicomnode.encode.pictures.sheet import sheet
from dicomnode.encode.told import Told
from dicomnode.values import Role


def secondary_capture(told: Told) -> Dataset:
    """The summary picture, RGB, RLE: no identity of the patient and no date is burnt into it.

    Source: PS3.3 A.8.1, C.8.6.1, C.7.6.3; PS3.5 G (RLE).
    """
    pixels = np.asarray(sheet(told))
    capture = drawn_at_the_node(told, Role.SC, SecondaryCaptureImageStorage, RLELossless)
    capture.Laterality = ""  # type 2C: no side is claimed
    capture.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    if burnt_in := _burnt_in(told):
        capture.BurnedInAnnotation = burnt_in
    capture.PatientOrientation = None  # several slices, and text: no one orientation (type 2C)
    capture.DateOfSecondaryCapture, capture.TimeOfSecondaryCapture = capture.ContentDate, capture.ContentTime
    if shown := shown_images(told):
        capture.SourceImageSequence = shown
    _add_pixels(capture, pixels)
    return capture


def _burnt_in(told: Told) -> str:
    """Whether the picture tells whose it is: what we write on it never does, what the source has in its pixels might.

    Empty where the source does not say, and is of a kind that often has (ultrasound, captures).
    """
    said = {str(header.get("BurnedInAnnotation") or "").upper() for header in told.context.sources.headers}
    if "YES" in said and told.volume is not None:
        return "YES"
    clean = told.volume is None or "NO" in said or str(told.context.source.get("Modality")) in RECONSTRUCTED
    return "NO" if clean else ""


RECONSTRUCTED = ("CT", "MR", "PT", "NM")
"""Modalities whose pixels are computed: nobody writes a name into them."""


def _add_pixels(capture: Dataset, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    capture.Rows, capture.Columns, capture.SamplesPerPixel = pixels.shape
    capture.PhotometricInterpretation, capture.PlanarConfiguration = "RGB", 0
    capture.BitsAllocated = capture.BitsStored = 8
    capture.HighBit, capture.PixelRepresentation = 7, 0
    capture.LossyImageCompression = "00"
    frame = encode_frame(pixels, RLELossless, 8, 8, "RGB", pixel_representation=0, planar_configuration=0)
    capture.PixelData = encapsulate([frame])
    capture["PixelData"].is_undefined_length = True
