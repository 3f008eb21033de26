"""Which way the patient lies in a picture, and how large: only from geometry that is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.values import Volume

LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))
"""Towards the plus and minus of each LPS axis (PS3.3 C.7.6.1.1.1)."""
LEAST = 0.3
"""Cosine below which a direction is not worth a letter (more than about 73° off)."""


@dataclass(frozen=True)
class Edges:
    """What lies beyond each edge of a picture: "L", "PL" ..."""

    left: str
    right: str
    top: str
    bottom: str


@dataclass(frozen=True)
class Scale:
    """Size of a pixel."""

    row_mm: float
    column_mm: float
    known: bool
    """False where no figure in mm is to be believed."""
    at_detector: bool = False
    """A projection image that nobody calibrated: mm in the plane of the detector."""


def edges_of(volume: Volume, rules: DicomToml) -> Edges | None:
    """The letters of the four edges; None without geometry, or where the model's input gives none to rely on."""
    if not volume.has_geometry or not rules.series.orientation_verified:
        return None
    across, down = (_unit(volume.affine_lps[:3, axis]) for axis in (0, 1))
    return Edges(letters(-across), letters(across), letters(-down), letters(down))


def letters(direction: NDArray[np.float64]) -> str:
    """A direction in LPS by at most two letters, the nearer axis first."""
    order = np.argsort(-np.abs(direction), kind="stable")
    named = [LETTERS[axis][0 if direction[axis] > 0 else 1] for axis in order if abs(direction[axis]) >= LEAST]
    return "".join(named[:2])


def scale_of(volume: Volume, header: Dataset) -> Scale:
    """Size of a pixel in a slice, and whether it is known."""
    row_mm, column_mm = (float(np.linalg.norm(volume.affine_lps[:3, axis])) for axis in (1, 0))
    if volume.has_geometry:
        return Scale(row_mm, column_mm, known=True)
    spacing = header.get("PixelSpacing") or header.get("ImagerPixelSpacing")
    if not spacing:
        return Scale(row_mm, column_mm, known=False)
    calibrated = bool(header.get("PixelSpacingCalibrationType"))
    return Scale(float(spacing[0]), float(spacing[1]), known=True, at_detector=not calibrated)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))
