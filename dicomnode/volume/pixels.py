"""Stored pixel values of an image, frame by frame, in every transfer syntax that the decoders know."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from dicomnode.index.headers import MALFORMED
from dicomnode.volume.read import Source, quiet
from dicomnode.volume.refusals import FrameCountMismatch, UndecodablePixels

UNDECODABLE = (*MALFORMED, RuntimeError, struct.error, MemoryError, ArithmeticError, AssertionError)
"""What pydicom and the decoders behind it raise on pixels they cannot decode."""


def stored_frames(source: Source) -> Iterator[NDArray[np.generic]]:
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


def _decoded(source: Source) -> Iterator[NDArray[np.generic]]:
    try:
        with quiet():
            deflated = source.transfer_syntax_uid == DeflatedExplicitVRLittleEndian
            yield from iter_pixels(dcmread(source.path) if deflated else source.path)
    except UNDECODABLE as fault:
        raise UndecodablePixels(UID(source.transfer_syntax_uid).name, _first_line(fault)) from fault


def _first_line(fault: BaseException) -> str:
    text = str(fault).strip().splitlines()
    return f"{type(fault).__name__}: {text[0][:200]}" if text else type(fault).__name__
