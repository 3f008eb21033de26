"""Grey levels of one slice as a reader is used to them: the image's own window, else robust percentiles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import DSfloat

from dicomnode.errors import ModelFault
from dicomnode.values import Frame, Volume

PERCENTILES = (0.5, 99.5)
FEWEST = 0.05
"""Share of the pixels that the image's own window must leave between black and white; else it is not for this image."""


@dataclass(frozen=True)
class Greys:
    """A slice ready to be shown."""

    pixels: NDArray[np.uint8]
    """(row, column)."""
    words: str
    """The window, "W 400 L 40"; empty where percentiles were taken."""


def greys(volume: Volume, k: int, header: Dataset) -> Greys:
    """Slice k of a volume in grey levels.

    Args:
        volume: real-world values.
        k: slice.
        header: of the image that slice k came from.

    Raises:
        ModelFault: a pixel of the slice has no value.

    Source: PS3.3 C.11.2.1.2 (window), C.7.6.16.2.10 (Frame VOI LUT).
    """
    values = volume.voxels[k].astype(np.float64)
    if np.isnan(values).any():
        raise ModelFault(f"slice {k + 1} has pixels without a value: no picture of it is right")
    given = window_of(header, volume.frames[k])
    if given is not None and "MONOCHROME1 inverted" not in volume.notes:
        centre, width, function = given
        shown = windowed(values, centre, width, function)
        if np.mean((shown > 0) & (shown < 1)) >= FEWEST:
            return Greys((shown * 255).round().astype(np.uint8), _spoken(centre, width))
    return Greys((stretched(values) * 255).round().astype(np.uint8), "")


def window_of(header: Dataset, frame: Frame) -> tuple[float, float, str] | None:
    """Window centre, width and VOI LUT function of a frame; the first where there are several."""
    holder = _voi(header, frame)
    try:
        centre, width = _first(holder.get("WindowCenter")), _first(holder.get("WindowWidth"))
    except (TypeError, ValueError):
        return None
    if centre is None or width is None or not width > 1:
        return None
    return centre, width, str(holder.get("VOILUTFunction") or "LINEAR")


def windowed(values: NDArray[np.float64], centre: float, width: float, function: str) -> NDArray[np.float64]:
    """Values through a window, 0 to 1."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -50, 50))))
    shift, size = (0.0, width) if function == "LINEAR_EXACT" else (0.5, width - 1)
    return np.asarray(np.clip((values - (centre - shift)) / size + 0.5, 0, 1))


def stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values between their robust percentiles, 0 to 1."""
    low, high = np.percentile(values, PERCENTILES)
    return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1))


def _voi(header: Dataset, frame: Frame) -> Dataset:
    """Where a frame's window stands: its own group, the shared one, or the image."""
    places = []
    if frame.frame_number:
        places += list(header.get("PerFrameFunctionalGroupsSequence") or ())[frame.frame_number - 1 :][:1]
        places += list(header.get("SharedFunctionalGroupsSequence") or ())[:1]
    items = [item for place in places for item in place.get("FrameVOILUTSequence") or ()]
    return items[0] if items else header


def _first(value: DSfloat | MultiValue[DSfloat] | None) -> float | None:
    if value is None or value == "":
        return None
    return float(value[0] if isinstance(value, MultiValue) else value)


def _spoken(centre: float, width: float) -> str:
    digits = 0 if width >= 10 else 2
    return f"W {width:.{digits}f}  L {centre:.{digits}f}"
