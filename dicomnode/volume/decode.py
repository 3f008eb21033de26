"""Decoding the pixels of one stored image with pydicom and the decoders behind it."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import iter_pixels, pixel_array
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from dicomnode.index.element_text import MALFORMED

UNDECODABLE = (
    *MALFORMED,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    AssertionError,
)
"""What pydicom and its decoders raise on pixels they cannot decode."""
SEQUENTIAL_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit)
ENDS_AT_ZERO = re.compile(rb"(\xff\xda\x00\x08\x01..)\x00\x00\x00", re.DOTALL)
"""Start of scan, 8 bytes, one component (selector, tables), from coefficient 0 to 0, no approximation."""


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


def mended_scan(codestream: bytes) -> bytes:
    """A sequential JPEG of one component whose scan says that it ends at coefficient 0, ending at 63 as it must.

    Some encoders wrote 0 there, and decoders refuse it. Nothing else is touched, nor is any length.

    Source: ISO/IEC 10918-1 B.2.3 (scan header: Ss is 0 and Se 63 in the sequential modes).
    """
    return ENDS_AT_ZERO.sub(lambda scan: scan[1] + b"\x00\x3f\x00", codestream, count=1)


def words(fault: BaseException) -> str:
    """A decoder's own words on one line; they speak of the encoding, never of the patient."""
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"[:300]


def _one(request: Request) -> Iterator[NDArray[Any]]:
    """The frame of a single-frame image, or every frame where there are more than it claims."""
    dataset = dcmread(request.path, force=True)
    if dataset.file_meta.get("TransferSyntaxUID") in SEQUENTIAL_JPEG:
        dataset.PixelData = mended_scan(dataset.PixelData)
    pixels = pixel_array(dataset)
    claimed_axes = 3 if request.samples > 1 else 2
    yield from pixels if pixels.ndim > claimed_axes else [pixels]


def _several(request: Request) -> Iterator[NDArray[Any]]:
    """Frame by frame from the file, so that a long multi-frame is never in memory as a whole."""
    return iter_pixels(dcmread(request.path, force=True) if request.deflated else request.path)
