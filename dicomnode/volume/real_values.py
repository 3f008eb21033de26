"""From stored pixel values to real-world ones: padding, modality LUT or rescale, colour, polarity."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

from dicomnode.index.element_text import MALFORMED
from dicomnode.volume.frames import ImageFrame
from dicomnode.volume.read import Source, quiet
from dicomnode.volume.refusals import UnusableRescale

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float64)
"""Weights of red, green and blue in luminance (ITU-R BT.601)."""


@dataclass(frozen=True)
class Padding:
    """Stored values that mean "no pixel here" (PS3.3 C.7.5.1.1.2)."""

    lowest: float
    highest: float

    def mask(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Where the stored value is padding."""
        return np.asarray((stored >= self.lowest) & (stored <= self.highest))


def real_values(stored: NDArray[Any], frame: ImageFrame, *, inverts: bool) -> NDArray[np.float32]:
    """Real-world values of one frame, (row, column); NaN where the pixel is padding.

    Args:
        stored: as decoded, (row, column) or (row, column, sample).
        frame: which frame of which image it is.
        inverts: a MONOCHROME1 image is turned so that more is brighter. True for projection images, whose values
            mean brightness; false for CT, MR and PET, whose values mean something whatever their display.

    Raises:
        UnusableRescale: the slope is zero, or slope, intercept or LUT are broken.

    Source: PS3.3 C.11.1 (modality LUT), C.7.6.3.1.2 (photometric interpretation).
    """
    source = frame.source
    if stored.ndim == 3 or _photometric(source) == "PALETTE COLOR":
        return luminance(stored, source)
    values = _rescaled(stored, frame)
    if inverts and _photometric(source) == "MONOCHROME1":
        values = sum(_real_range(frame)) - values
    padding = padding_of(source)
    if padding is not None:
        values = np.where(padding.mask(stored), np.nan, values)
    return values.astype(np.float32)


def luminance(stored: NDArray[Any], source: Source) -> NDArray[np.float32]:
    """Brightness of a colour image, in the units of its samples."""
    if stored.ndim == 2:
        try:
            stored = apply_color_lut(stored, source.dataset)
        except MALFORMED as fault:
            raise UnusableRescale("the colour palette is broken") from fault
    return np.asarray(stored[..., :3] @ LUMA, dtype=np.float32)


def padding_of(source: Source) -> Padding | None:
    """Pixel Padding Value (0028,0120), with Pixel Padding Range Limit (0028,0121) where given."""
    values = source.numbers("PixelPaddingValue")
    if not values:
        return None
    limits = source.numbers("PixelPaddingRangeLimit") or values
    ends = sorted(_as_stored(value, source) for value in (values[0], limits[0]))
    return Padding(ends[0], ends[1])


def fill_padding(voxels: NDArray[np.float32]) -> float | None:
    """Put the smallest real value where padding was, in place; what was put there, or None for no padding."""
    empty = np.isnan(voxels)
    if not empty.any():
        return None
    smallest = 0.0 if empty.all() else float(np.nanmin(voxels))
    voxels[empty] = smallest
    return smallest


def notes_of(source: Source, *, inverts: bool) -> list[str]:
    """What was done to an image's values that a reader should know."""
    photometric = _photometric(source)
    notes = ["MONOCHROME1 inverted"] if inverts and photometric == "MONOCHROME1" else []
    if source.whole("SamplesPerPixel", 1) > 1 or photometric == "PALETTE COLOR":
        notes.append("colour turned into luminance")
    return notes


def _rescaled(stored: NDArray[Any], frame: ImageFrame) -> NDArray[np.float64]:
    if "ModalityLUTSequence" in frame.source.dataset:
        return _looked_up(stored, frame.source)
    slope = frame.numbers("PixelValueTransformationSequence", "RescaleSlope") or (1.0,)
    intercept = frame.numbers("PixelValueTransformationSequence", "RescaleIntercept") or (0.0,)
    if not slope[0] or not np.all(np.isfinite((slope[0], intercept[0]))):
        raise UnusableRescale(f"rescale slope {slope[0]:g} and intercept {intercept[0]:g} give no real-world values")
    return stored.astype(np.float64) * slope[0] + intercept[0]


def _looked_up(stored: NDArray[Any], source: Source) -> NDArray[np.float64]:
    try:
        with quiet():
            return np.asarray(apply_modality_lut(stored, source.dataset), dtype=np.float64)
    except MALFORMED as fault:
        raise UnusableRescale("the modality LUT is broken") from fault


def _real_range(frame: ImageFrame) -> tuple[float, float]:
    """Real values of the smallest and largest value that Bits Stored can hold."""
    bits, signed = frame.source.whole("BitsStored"), frame.source.whole("PixelRepresentation") == 1
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    real = _rescaled(np.array(ends, dtype=np.int64), frame)
    return float(real[0]), float(real[1])


def _as_stored(value: float, source: Source) -> float:
    """A padding value that was written unsigned though the pixels are signed, as the signed value it stands for."""
    allocated = source.whole("BitsAllocated", 16)
    wraps = source.whole("PixelRepresentation") == 1 and value >= 1 << (allocated - 1)
    return value - (1 << allocated) if wraps else value


def _photometric(source: Source) -> str:
    return source.text("PhotometricInterpretation")
