"""What the values of a volume's voxels are: Hounsfield units, uptake, or the scanner's own scale."""

from dataclasses import dataclass

from highdicom.sr import CodedConcept
from pydicom import Dataset

from dicomnode.encode import concepts

DIGITS = 4
"""Significant digits of a value on a scale of its own."""


@dataclass(frozen=True)
class Quantity:
    """A measured quantity and its unit."""

    name: CodedConcept
    unit: CodedConcept
    spoken: str = ""
    """The unit as a person says it ("HU"); empty where the scale is arbitrary and a figure says little."""

    def rounded(self, value: float) -> float:
        """A value as it is told everywhere."""
        return round(value, 1) if self.unit == concepts.HOUNSFIELD else float(f"{value:.{DIGITS}g}")


ATTENUATION = Quantity(concepts.ATTENUATION, concepts.HOUNSFIELD, "HU")
MR_SIGNAL = Quantity(concepts.MR_SIGNAL, concepts.ARBITRARY)
PIXEL_VALUE = Quantity(concepts.PIXEL_VALUE, concepts.ARBITRARY)
ACTIVITY = Quantity(concepts.ACTIVITY, concepts.BECQUEREL_PER_ML, "Bq/ml")
UPTAKE = {
    "BW": Quantity(concepts.SUV_BW, concepts.GRAM_PER_ML_BW, "g/ml (SUV)"),
    "LBM": Quantity(concepts.SUV_LBM, concepts.GRAM_PER_ML_LBM, "g/ml (SUV, lean body mass)"),
}
"""By SUV Type (0054,1006)."""


def quantity_of(image: Dataset) -> Quantity:
    """What the rescaled values of an image are.

    Source: PS3.3 C.11.1.1.2 (Rescale Type; HU where a CT image has none), C.8.9.1.1.3 (Units of PET),
    PS3.16 CID 7469, CID 7181.
    """
    modality = str(image.get("Modality") or "")
    if modality == "CT":
        return ATTENUATION if rescale_type(image) in {"", "HU"} else PIXEL_VALUE
    if modality == "PT":
        return _pet(image)
    return MR_SIGNAL if modality == "MR" else PIXEL_VALUE


def rescale_type(image: Dataset) -> str:
    """Rescale Type (0028,1054), of all frames where it is an enhanced image; empty where there is none."""
    shared = (image.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    transformed = (shared.get("PixelValueTransformationSequence") or [image])[0]
    return str(transformed.get("RescaleType") or "").strip().upper()


def _pet(image: Dataset) -> Quantity:
    units = str(image.get("Units") or "").strip().upper()
    if units == "BQML":
        return ACTIVITY
    kind = str(image.get("SUVType") or "BW").strip().upper()
    return UPTAKE.get(kind, PIXEL_VALUE) if units == "GML" else PIXEL_VALUE
