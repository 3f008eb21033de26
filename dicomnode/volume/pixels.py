"""Stored pixel values of an image, frame by frame, in every transfer syntax that the decoders know."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicomnode.volume.claims import pixel_bytes
from dicomnode.volume.decode import UNDECODABLE, Request, words
from dicomnode.volume.decoder import Decoder, DecoderFault
from dicomnode.volume.read import Source
from dicomnode.volume.refusals import FrameCountMismatch, UndecodablePixels


def stored_frames(source: Source, decoder: Decoder) -> Iterator[NDArray[Any]]:
    """Decoded frames in stored order: (row, column), or (row, column, sample) with YBR turned into RGB.

    One frame is in memory at a time, except in a deflated data set.

    Raises:
        UndecodablePixels: no decoder for the transfer syntax, or broken pixel data.
        FrameCountMismatch: the encapsulated data holds more or fewer frames than Number of Frames says.
    """
    request = Request(
        path=str(source.path),
        frames=source.whole("NumberOfFrames", 1),
        samples=source.whole("SamplesPerPixel", 1),
        deflated=source.transfer_syntax_uid == DeflatedExplicitVRLittleEndian,
    )
    found = 0
    for found, pixels in enumerate(_decoded(source, request, decoder), 1):
        if found > request.frames:
            raise FrameCountMismatch(request.frames, found)
        yield pixels
    if found != request.frames:
        raise FrameCountMismatch(request.frames, found)


def _decoded(source: Source, request: Request, decoder: Decoder) -> Iterator[NDArray[Any]]:
    try:
        yield from decoder.frames(request, compressed=pixel_bytes(source) is None)
    except DecoderFault as fault:
        raise UndecodablePixels(source.transfer_syntax_uid, str(fault)) from fault
    except UNDECODABLE as fault:
        raise UndecodablePixels(source.transfer_syntax_uid, words(fault)) from fault
