"""A hippocampus crop of the Medical Segmentation Decathlon as an MR series.

The crops come as NIfTI: an array (i, j, k) and an affine to RAS mm, which for these crops is a placeholder. Column
i, row j and slice k of the DICOM images are the array's axes; the affine is turned to LPS and nothing else.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import MRImageStorage

from dicomnode.demo.image import Origin, demo_image, uid_of

COMMENTS = (
    "T1-weighted crop around one hippocampus, case {case} of the Medical Segmentation Decathlon, Task04 Hippocampus "
    "(Vanderbilt University Medical Center; Antonelli et al., Nature Communications 13, 4128, 2022; Simpson et al., "
    "arXiv:1902.09063, 2019). Licence: CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/. "
    "Converted from NIfTI by dicomnode. Position and orientation are placeholders: the place within the head, and "
    "with it the side, is unknown. Name, ID and dates are made up. Not for clinical use."
)
LPS_OF_RAS = np.array([-1.0, -1.0, 1.0])
LARGEST = 65535
"""Largest value that 16 bits hold."""


@dataclass(frozen=True)
class Scale:
    """How real values are stored: real = slope × stored + intercept."""

    slope: float
    intercept: float

    def stored(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """Real values as stored ones, rounded to the nearest."""
        return np.clip(np.rint((values - self.intercept) / self.slope), 0, LARGEST).astype(np.uint16)


def msd_series(values: NDArray[Any], affine_ras: NDArray[np.float64], case: str) -> list[Dataset]:
    """A NIfTI case as single-frame MR images, a slice each.

    Whole numbers from 0 to 65535 are stored as they are; other values with a rescale slope of at most 1/65535 of
    their range, so that reading them back differs by at most half of it.

    Args:
        values: (i, j, k), as nibabel gives them.
        affine_ras: 4×4 from index (i, j, k, 1) to RAS mm.
        case: name of the case ("hippocampus_001"); UIDs and the patient's name follow from it.

    Raises:
        ValueError: no 3D array, values that are not finite, or an affine whose axes are not perpendicular.
    """
    spacing, directions = _axes(values, affine_ras)
    scale = scale_of(values)
    window = _window(values)
    images = []
    for k in range(values.shape[2]):
        image = demo_image(_origin(case), MRImageStorage, "MR", instance_number=k + 1)
        _add_acquisition(image)
        _place(image, (affine_ras @ [0, 0, k, 1])[:3] * LPS_OF_RAS, directions, spacing)
        _add_pixels(image, values[:, :, k].T, scale)
        image.FrameOfReferenceUID, image.PositionReferenceIndicator = uid_of(case, "frame of reference"), ""
        image.WindowCenter, image.WindowWidth = (f"{value:.6g}" for value in window)
        images.append(image)
    return images


def scale_of(values: NDArray[Any]) -> Scale:
    """The scale in which values fit 16 bits: 1 for whole numbers from 0, else a slope of few decimals."""
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= LARGEST and np.array_equal(values, np.rint(values)):
        return Scale(1.0, 0.0)
    intercept = math.floor(low)
    exponent = math.floor(math.log10((high - intercept) / LARGEST)) - 6
    slope = math.ceil((high - intercept) / LARGEST / 10**exponent) * 10.0**exponent
    return Scale(float(f"{slope:.7g}"), float(intercept))


def _axes(values: NDArray[Any], affine_ras: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Spacing (3) along the array's axes, and their directions in LPS (3 columns)."""
    if values.ndim != 3 or not np.isfinite(values).all():
        raise ValueError(f"no 3D image of finite values: {values.shape}")
    axes = affine_ras[:3, :3] * LPS_OF_RAS[:, np.newaxis]
    spacing = np.linalg.norm(axes, axis=0)
    if spacing.min() <= 0 or not np.allclose((axes / spacing).T @ (axes / spacing), np.eye(3), atol=1e-4):
        raise ValueError("the axes of the affine are not perpendicular")
    return spacing, axes / spacing


def _origin(case: str) -> Origin:
    return Origin(
        name=case,
        family="Hippocampus",
        number=case.rsplit("_", 1)[-1],
        study_description="Hippocampus crop",
        comments=COMMENTS.format(case=case),
        deidentified_by="By the publishers of the Medical Segmentation Decathlon",
    )


def _add_acquisition(image: Dataset) -> None:
    """What the MR Image module wants (PS3.3 C.8.3.1): an MPRAGE; its times are not given with the data."""
    image.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    image.BodyPartExamined, image.PatientPosition = "BRAIN", ""
    image.ScanningSequence, image.SequenceVariant, image.ScanOptions = ["GR", "IR"], "MP", ""
    image.MRAcquisitionType = "3D"
    image.EchoTime = image.RepetitionTime = image.InversionTime = image.EchoTrainLength = None
    image.DerivationDescription = "Cropped by the publishers; converted from NIfTI to DICOM by dicomnode"


def _place(image: Dataset, position: NDArray[Any], directions: NDArray[Any], spacing: NDArray[Any]) -> None:
    image.ImagePositionPatient = [f"{value:.10g}" for value in position + 0.0]
    image.ImageOrientationPatient = [f"{value:.10g}" for value in (directions[:, :2] + 0.0).T.ravel()]
    image.PixelSpacing = [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"]
    image.SliceThickness = image.SpacingBetweenSlices = f"{spacing[2]:.10g}"


def _add_pixels(image: Dataset, rows: NDArray[Any], scale: Scale) -> None:
    image.Rows, image.Columns = rows.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    if scale != Scale(1.0, 0.0):
        image.RescaleSlope, image.RescaleIntercept = f"{scale.slope:.9g}", f"{scale.intercept:.9g}"
        image.RescaleType = "US"
    image.PixelData = scale.stored(rows).astype("<u2").tobytes()


def _window(values: NDArray[Any]) -> tuple[float, float]:
    """Centre and width that show all but the brightest hundredth."""
    low, high = float(values.min()), float(np.percentile(values, 99))
    width = max(high - low, 1.0)
    return low + width / 2, width
