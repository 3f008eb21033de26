"""What an image claims about its pixels, held against the bytes that are there, before anything is decoded."""

from pydicom import DataElement
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from dicomnode.volume.read import Source
from dicomnode.volume.refusals import (
    AbsurdBits,
    EmptyImage,
    FrameCountMismatch,
    NoPixels,
    TooLarge,
    UndecodablePixels,
)

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
ALLOCATED = (1, 8, 16, 32, 64)
BELIEVED_BYTES = 64 << 20
"""Compressed images may claim so much whatever their size: a black image compresses to nothing."""
BELIEVED_RATIO = 1000
"""Beyond that, no more than so many times their compressed size."""
ITEM_BYTES = 8
"""A compressed frame takes at least the header of one item."""
UNDEFINED_LENGTH = 0xFFFFFFFF


def require_sane_claims(source: Source) -> None:
    """Refuse an image whose description cannot be true.

    Raises:
        NoPixels: it is no image.
        EmptyImage: no rows or no columns.
        AbsurdBits: Bits Allocated or Bits Stored make no sense.
        FrameCountMismatch: more or fewer frames than Number of Frames says.
        UndecodablePixels: the file ends within the pixel data.
        TooLarge: the claimed size is beyond all belief for the compressed size.

    Source: PS3.3 C.7.6.3 (image pixel), PS3.5 8 (encoding of pixel data).
    """
    pixel_element(source)
    rows, columns = source.whole("Rows"), source.whole("Columns")
    if rows < 1 or columns < 1:
        raise EmptyImage(rows, columns)
    _require_sane_bits(source)
    frames = source.whole("NumberOfFrames", 1)
    if frames < 1:
        raise FrameCountMismatch(frames, 1)
    held = pixel_bytes(source)
    if held is None:
        _require_believable(source, frames)
    else:
        _require_enough(source, frames, held)


def frame_bytes(source: Source) -> int:
    """Bytes of one decoded frame, as the image claims."""
    pixels = source.whole("Rows") * source.whole("Columns") * source.whole("SamplesPerPixel", 1)
    bits = pixels * source.whole("BitsAllocated")
    return -(-bits // 8)


def pixel_bytes(source: Source) -> int | None:
    """Bytes of the pixel data that are in the file; None where they are encapsulated (PS3.5 A.4): of no set length."""
    element = pixel_element(source)
    if isinstance(element, DataElement):
        return None if element.is_undefined_length else len(element.value or b"")
    if element.length == UNDEFINED_LENGTH:
        return None
    if element.value is not None:
        return len(element.value)
    return min(element.length, source.path.stat().st_size - element.value_tell)


def pixel_element(source: Source) -> DataElement | RawDataElement:
    """The pixel data as it stands in the file, its value not read.

    Raises:
        NoPixels: there is none.
    """
    for tag in (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA):
        element = source.dataset.get_item(BaseTag(tag), keep_deferred=True)
        if element is not None:
            return element
    raise NoPixels(source.instance.sop_instance_uid)


def _require_sane_bits(source: Source) -> None:
    allocated = source.whole("BitsAllocated")
    stored = source.whole("BitsStored", allocated if "PixelData" not in source.dataset else 0)
    if allocated not in ALLOCATED or not 1 <= stored <= allocated or source.whole("HighBit", stored - 1) >= allocated:
        raise AbsurdBits(allocated, stored)


def _require_believable(source: Source, frames: int) -> None:
    held = source.path.stat().st_size
    if frames > held // ITEM_BYTES:
        raise FrameCountMismatch(frames, held // ITEM_BYTES)
    claimed, limit = frames * frame_bytes(source), BELIEVED_BYTES + BELIEVED_RATIO * held
    if claimed > limit:
        raise TooLarge(claimed, limit)


def _require_enough(source: Source, frames: int, held: int) -> None:
    """Of uncompressed pixels the length is known to the byte (one of padding allowed)."""
    each = _stored_frame_bytes(source)
    bits_packed = source.whole("BitsAllocated") == 1
    if bits_packed:
        each = max(1, each)
    found = held // each
    if found < frames and not (bits_packed and held >= _packed_bytes(source, frames)):
        if found >= 1 and frames > 1:
            raise FrameCountMismatch(frames, found)
        raise UndecodablePixels(source.transfer_syntax_uid, f"{held} bytes of pixels where {frames * each} are due")
    if found > frames and not bits_packed:
        raise FrameCountMismatch(frames, found)


def _stored_frame_bytes(source: Source) -> int:
    """Bytes of one frame as stored: chroma of YBR_FULL_422 is halved (PS3.3 C.7.6.3.1.2)."""
    each = frame_bytes(source)
    return each * 2 // 3 if source.text("PhotometricInterpretation") == "YBR_FULL_422" else each


def _packed_bytes(source: Source, frames: int) -> int:
    return -(-source.whole("Rows") * source.whole("Columns") * frames // 8)
