"""Stored pixel values of an image, frame by frame, in every transfer syntax that the decoders know."""

import struct
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import iter_pixels, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicomnode.index.headers import MALFORMED
from dicomnode.volume.read import Source, quiet
from dicomnode.volume.refusals import FrameCountMismatch, UndecodablePixels

UNDECODABLE = (*MALFORMED, InvalidDicomError, RuntimeError, struct.error, MemoryError, ArithmeticError, AssertionError)
"""What pydicom and the decoders behind it raise on pixels they cannot decode."""


def stored_frames(source: Source) -> Iterator[NDArray[Any]]:
    """Decoded frames in stored order: (row, column), or (row, column, sample) with YBR turned into RGB.

    One frame is in memory at a time, except in a deflated data set.

    Raises:
        UndecodablePixels: no decoder for the transfer syntax, or broken pixel data.
        FrameCountMismatch: the encapsulated data holds more or fewer frames than Number of Frames says.
    """
    claimed, found = source.whole("NumberOfFrames", 1), 0
    for pixels in _decoded(source):
        found += 1
        if found > claimed:
            raise FrameCountMismatch(claimed, found)
        yield pixels
    if found != claimed:
        raise FrameCountMismatch(claimed, found)


def _decoded(source: Source) -> Iterator[NDArray[Any]]:
    decoded = _several(source) if source.whole("NumberOfFrames", 1) > 1 else _one(source)
    while True:
        try:
            with quiet():
                pixels = next(decoded, None)
        except UNDECODABLE as fault:
            raise UndecodablePixels(source.transfer_syntax_uid, _words(fault)) from fault
        if pixels is None:
            return
        yield pixels


def _one(source: Source) -> Iterator[NDArray[Any]]:
    """The frame of a single-frame image, or every frame where there are more than it claims."""
    pixels = pixel_array(dcmread(source.path, force=True))
    claimed_axes = 3 if source.whole("SamplesPerPixel", 1) > 1 else 2
    yield from pixels if pixels.ndim > claimed_axes else [pixels]


def _several(source: Source) -> Iterator[NDArray[Any]]:
    """Frame by frame from the file, so that a long multi-frame is never in memory as a whole."""
    deflated = source.transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    return iter_pixels(dcmread(source.path, force=True) if deflated else source.path)


def _words(fault: BaseException) -> str:
    """The decoder's own words on one line; they speak of the encoding, never of the patient."""
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"[:300]
