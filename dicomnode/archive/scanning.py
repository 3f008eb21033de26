"""The elements that are looked at, in one pass over the first bytes of an encoded data set.

pydicom makes an object of every element; a header of a hundred costs it a millisecond, and we look at half of
them. This pass takes regular bytes alone: whatever is unusual is left to pydicom, whose word holds.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, cast

from pydicom import DataElement, Dataset
from pydicom.charset import python_encoding
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag

SKIPPED_BYTES = 1 << 16
"""Values longer than this are skipped: none that we look at is."""
UNDEFINED = 0xFFFFFFFF
DELIMITERS = 0xFFFE0000
PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
CHARACTER_SET = 0x00080005
LONG_LENGTH = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
SHORT_LENGTH = {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL",
                b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}  # fmt: skip
BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError, struct.error,
          NotImplementedError, RecursionError, InvalidDicomError, UserWarning)  # fmt: skip
"""What pydicom raises on bytes that are no data set."""
SEARCH_BYTES = 8192
"""pydicom reads so much at once when it looks for a delimiter, and may well meet the end."""
_NAMES = {vr: vr.decode() for vr in LONG_LENGTH | SHORT_LENGTH}

Head = tuple[int, str | None, int, int]
"""Tag, VR, length and where the value begins."""


@dataclass(frozen=True)
class Encoding:
    """How a data set's elements are written (PS3.5 Annex A)."""

    implicit: bool
    little: bool


@dataclass(frozen=True)
class Scan:
    """What was found before the pixel data."""

    header: Dataset
    end: int
    """Where the value of the pixel data begins; without any, where the last element ends."""
    pixel_bytes: int | None
    """Length of that value as its element says; None where there is no pixel data."""


class Watched:
    """A file that remembers whether a read met its end half-way, which pydicom passes over in silence."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.cut = False

    def read(self, length: int = -1) -> bytes:
        """As the file's."""
        raw = self._file.read(length)
        self.cut = self.cut or (0 < len(raw) < length and length != SEARCH_BYTES)
        return raw


class _Unusual(Exception):
    """Something that pydicom is to judge."""


def scan(head: bytes, encoding: Encoding, wanted: Mapping[int, BaseTag]) -> Scan | None:
    """The wanted elements before the pixel data, as pydicom would give them.

    Args:
        head: the first bytes of a data set, or all of it.
        encoding: of the data set.
        wanted: tags to keep, each by its number; Specific Character Set is to be among them.

    Returns:
        None where the bytes are unusual, or the pixel data is not reached within them.
    """
    try:
        return _scan(head, encoding, wanted)
    except (_Unusual, struct.error):
        return None


def _scan(head: bytes, encoding: Encoding, wanted: Mapping[int, BaseTag]) -> Scan:
    element_at = _implicit(head, encoding) if encoding.implicit else _explicit(head, encoding)
    found: dict[BaseTag, RawDataElement | DataElement] = {}
    at, end = 0, len(head)
    while at < end:
        tag, vr, length, start = element_at(at)
        if tag in PIXELS and at:
            return Scan(Dataset(found), start, length)
        if (
            tag in PIXELS
            or tag >= DELIMITERS
            or (tag == CHARACTER_SET and not _is_known(vr, head[start : start + length]))
        ):
            raise _Unusual
        if length == UNDEFINED:
            element, at = _of_undefined_length(head, at, encoding)
            found |= {kept: element} if (kept := wanted.get(tag)) else {}
            continue
        at = start + length
        if kept := wanted.get(tag):
            value = head[start:at] if length <= SKIPPED_BYTES else None
            found[kept] = RawDataElement(kept, vr, length, value, start, encoding.implicit, encoding.little)
    if at > end or not at:
        raise _Unusual
    return Scan(Dataset(found), at, None)


def _is_known(vr: str | None, character_set: bytes) -> bool:
    """Whether pydicom takes a Specific Character Set without a word."""
    terms = character_set.decode("ascii", "replace").split("\\")
    return vr in (None, "CS") and all(term.rstrip(" ") in python_encoding for term in terms)


def _explicit(head: bytes, encoding: Encoding) -> Callable[[int], Head]:
    """Reads element heads with a VR (PS3.5 7.1.2)."""
    order = "<" if encoding.little else ">"
    short, long = struct.Struct(f"{order}HH2sH").unpack_from, struct.Struct(f"{order}I").unpack_from

    def element_at(at: int) -> Head:
        group, element, vr, length = short(head, at)
        if vr in SHORT_LENGTH:
            return group << 16 | element, _NAMES[vr], length, at + 8
        if vr not in LONG_LENGTH:
            raise _Unusual
        return group << 16 | element, _NAMES[vr], long(head, at + 8)[0], at + 12

    return element_at


def _implicit(head: bytes, encoding: Encoding) -> Callable[[int], Head]:
    """Reads element heads without a VR (PS3.5 7.1.3); one that looks like a VR makes the data set unusual."""
    unpack = struct.Struct("<HHI" if encoding.little else ">HHI").unpack_from
    if head[4:6].isalpha():
        raise _Unusual

    def element_at(at: int) -> Head:
        group, element, length = unpack(head, at)
        return group << 16 | element, None, length, at + 8

    return element_at


def _of_undefined_length(head: bytes, at: int, encoding: Encoding) -> tuple[RawDataElement | DataElement, int]:
    """An element that ends with a delimiter, and where the next one begins: read by pydicom."""
    file = BytesIO(head)
    file.seek(at)
    watched = Watched(file)
    source = cast(BinaryIO, watched)
    try:
        element = next(data_element_generator(source, encoding.implicit, encoding.little, None, SKIPPED_BYTES))
    except (*BROKEN, OSError, StopIteration) as fault:  # pydicom's own OSError: nothing is read from disk here
        raise _Unusual from fault
    if watched.cut:
        raise _Unusual
    return element, file.tell()
