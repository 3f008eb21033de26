"""Decoding the pixels of one stored image with pydicom and the decoders behind it."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import iter_pixels, pixel_array

from dicomnode.index.element_text import MALFORMED

UNDECODABLE = (
    *MALFORMED,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    AssertionError,
)
"""What pydicom and its decoders raise on pixels they cannot decode."""


@dataclass(frozen=True)
class Request:
    """An image to decode."""

    path: str
    frames: int
    """Number of Frames."""
    samples: int
    """Samples per Pixel."""
    deflated: bool
    """The whole data set is deflated, and has to be in memory."""


def decoded(request: Request) -> Iterator[NDArray[Any]]:
    """Frames in stored order: (row, column), or (row, column, sample) with YBR turned into RGB.

    Raises:
        Exception: one of UNDECODABLE.
    """
    frames = _several(request) if request.frames > 1 else _one(request)
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = next(frames, None)
        if pixels is None:
            return
        yield pixels


def words(fault: BaseException) -> str:
    """A decoder's own words on one line; they speak of the encoding, never of the patient."""
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"[:300]


def _one(request: Request) -> Iterator[NDArray[Any]]:
    """The frame of a single-frame image, or every frame where there are more than it claims."""
    pixels = pixel_array(dcmread(request.path, force=True))
    claimed_axes = 3 if request.samples > 1 else 2
    yield from pixels if pixels.ndim > claimed_axes else [pixels]


def _several(request: Request) -> Iterator[NDArray[Any]]:
    """Frame by frame from the file, so that a long multi-frame is never in memory as a whole."""
    return iter_pixels(dcmread(request.path, force=True) if request.deflated else request.path)
