"""Read the header of an encoded instance with bounded memory, and find out whether it is whole.

Pixel data is never read, only measured; large values are skipped; a deflated data set is inflated piece by
piece up to a limit, so that a few bytes cannot fill the memory.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from pydicom import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dicomnode.archive.scanning import (
    BROKEN,
    LONG_LENGTH,
    PIXELS,
    SKIPPED_BYTES,
    UNDEFINED,
    Encoding,
    Watched,
    scan,
)
from dicomnode.errors import NotDicom

HEAD_BYTES = 16 << 20
"""Of a deflated data set so much is kept in memory; pixel data begins before that."""
PIECE_BYTES = 1 << 18


class Unreadable(NotDicom):
    """The bytes are no data set in the transfer syntax they were sent in."""


class Truncated(NotDicom):
    """The data set ends before its last value does."""


class InflatesTooFar(NotDicom):
    """A deflated data set grows beyond the largest instance we accept."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"data set inflates to more than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


def read_header(path: Path, start: int, transfer_syntax_uid: str, limit_bytes: int) -> Dataset:
    """Every element before the pixel data of an instance that is complete on disk.

    Args:
        path: a file.
        start: where the data set begins in it, after the file meta information.
        transfer_syntax_uid: how it is encoded.
        limit_bytes: most bytes that a deflated data set may inflate to.

    Raises:
        Unreadable: no data set.
        Truncated: a value is longer than the file.
        InflatesTooFar: deflated, and larger than the limit.
    """
    syntax = UID(transfer_syntax_uid)
    with path.open("rb") as file:
        file.seek(start)
        if syntax.is_deflated:
            head, size = _inflated(file, limit_bytes)
            return _whole_header(BytesIO(head), size, encoding_of(syntax))
        return _whole_header(file, path.stat().st_size, encoding_of(syntax))


def read_wanted(
    head: bytes, path: Path, start: int, transfer_syntax_uid: str, wanted: Mapping[int, BaseTag]
) -> Dataset | None:
    """The wanted elements alone, of an instance that is complete on disk and whose first bytes are at hand.

    Args:
        head: the first bytes of its data set.
        path: the file, opened only where pixel data is encapsulated.
        start: where the data set begins in it.
        transfer_syntax_uid: how it is encoded.
        wanted: tags to keep, each by its number.

    Returns:
        What `read_header` says of these tags; None where it has to be asked, for whatever reason.

    Raises:
        NotDicom: encapsulated pixel data is not whole.
    """
    syntax = UID(transfer_syntax_uid)
    found = None if syntax.is_deflated else scan(head, encoding_of(syntax), wanted)
    if found is None:
        return None
    size = path.stat().st_size
    end = start + found.end
    if found.pixel_bytes == UNDEFINED:
        with path.open("rb") as file:
            file.seek(end)
            _require_delimited(file, size)
        return found.header
    is_whole = end == size if found.pixel_bytes is None else end + found.pixel_bytes <= size
    return found.header if is_whole else None


def encoding_of(syntax: UID) -> Encoding:
    """How a transfer syntax writes its elements."""
    return Encoding(syntax.is_implicit_VR, syntax.is_little_endian)


def data_set_start(path: Path) -> int:
    """Where the data set begins in a Part 10 file (PS3.10 7.1): after group 0002, whose length stands first.

    Raises:
        Unreadable: no Part 10 file.
    """
    with path.open("rb") as file:
        try:
            read_preamble(file, force=False)
            tag, _, _, length = struct.unpack("<I2sHI", file.read(12))
        except (*BROKEN, OSError) as fault:
            raise Unreadable("no DICOM Part 10 file") from fault
    if tag != 0x00000002:
        raise Unreadable("file meta information has no group length")
    return 144 + int(length)


def _whole_header(file: BinaryIO, size: int, encoding: Encoding) -> Dataset:
    start = file.tell()
    if size - start < 8:
        raise Truncated("the data set is empty")
    watched = Watched(file)
    source = cast(BinaryIO, watched)
    try:
        header = read_dataset(source, encoding.implicit, encoding.little, None, _at_pixels, SKIPPED_BYTES)
    except (*BROKEN, OSError) as fault:
        if isinstance(fault, OSError) and fault.errno is not None:  # the disk's; pydicom's own has no number
            raise
        raise Unreadable("the data set cannot be read") from fault
    if watched.cut:
        raise Truncated("the data set ends within an element")
    if not header:
        raise Unreadable("the bytes are no DICOM data set")
    _require_whole(file, size, encoding)
    return header


def _at_pixels(tag: BaseTag, _: str | None, __: int) -> bool:
    return int(tag) in PIXELS


def _require_whole(file: BinaryIO, size: int, encoding: Encoding) -> None:
    here = file.tell()
    if here > size:
        raise Truncated(f"the data set ends {here - size} bytes early")
    rest = file.read(8)
    if not rest:
        return
    if len(rest) < 8:
        raise Truncated("the data set ends within an element")
    file.seek(here)
    _require_whole_pixels(file, size, encoding)


def _require_whole_pixels(file: BinaryIO, size: int, encoding: Encoding) -> None:
    length = _element_length(file, encoding)
    if length != UNDEFINED:
        if file.tell() + length > size:
            raise Truncated(f"pixel data ends {file.tell() + length - size} bytes early")
        return
    _require_delimited(file, size)


def _require_delimited(file: BinaryIO, size: int) -> None:
    for _ in _fragments(file, size):
        pass


def _element_length(file: BinaryIO, encoding: Encoding) -> int:
    """Length of the element that begins here; the file is left at its value (PS3.5 7.1)."""
    order = "<" if encoding.little else ">"
    raw = file.read(8)
    if encoding.implicit or not raw[4:6].isalpha():
        return int(struct.unpack(f"{order}I", raw[4:])[0])
    if raw[4:6] not in LONG_LENGTH:
        return int(struct.unpack(f"{order}H", raw[6:])[0])
    rest = file.read(4)
    if len(rest) < 4:
        raise Truncated("the data set ends within an element")
    return int(struct.unpack(f"{order}I", rest)[0])


def _fragments(file: BinaryIO, size: int) -> Iterator[int]:
    """Lengths of the fragments of encapsulated pixel data, up to the delimiter (PS3.5 A.4)."""
    while True:
        raw = file.read(8)
        if len(raw) < 8:
            raise Truncated("encapsulated pixel data has no delimiter")
        group, element, length = struct.unpack("<HHI", raw)
        if (group, element) == (0xFFFE, 0xE0DD):
            return
        if (group, element) != (0xFFFE, 0xE000):
            raise Unreadable("encapsulated pixel data holds something other than fragments")
        if length == UNDEFINED or file.tell() + length > size:
            raise Truncated("a fragment of pixel data is longer than the data set")
        file.seek(length, 1)
        yield length


def _inflated(file: BinaryIO, limit_bytes: int) -> tuple[bytes, int]:
    """First bytes of an inflated data set, and its whole size (PS3.5 A.5)."""
    stream, head, size = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), 0
    try:
        while not stream.eof:
            raw = stream.unconsumed_tail or file.read(PIECE_BYTES)
            piece = stream.decompress(raw, PIECE_BYTES)
            size += len(piece)
            head += piece[: max(0, HEAD_BYTES - len(head))]
            if size > limit_bytes:
                raise InflatesTooFar(limit_bytes)
            if not raw and not piece:
                raise Truncated("the deflated data set ends early")
    except zlib.error as fault:
        raise Unreadable("the data set is not deflated as its transfer syntax says") from fault
    return bytes(head), size
