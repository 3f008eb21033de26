"""The text of one data element as it stands in the data set, whatever its VR, without ever raising.

Values that break their VR's rules are kept as written: a header is what the sender said, and judging it is
for those who use it.
"""

import re
import struct

from pydicom import DataElement, Dataset
from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import BaseTag

BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
LATIN = "iso8859"
CHARACTER_SET = BaseTag(0x00080005)
ESCAPE = re.compile("\x1b[ -/]+[0-~]")
"""What pydicom leaves of a switch to GB 2312 (ISO 2022 IR 58)."""
MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OSError,
    EOFError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    UserWarning,
    struct.error,
    BytesLengthException,
    InvalidDicomError,
)
"""What pydicom raises on data sets that are broken."""
TEXTLESS = {"SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN", "AT"}
PADDING = " \0\t\r\n"
DELIMITERS = {0x0A, 0x0C, 0x0D, 0x09, 0x5C, 0x5E, 0x3D}


def element_text(dataset: Dataset, tag: int, encodings: list[str]) -> str:
    """One element in DICOM notation: multi-values joined by a backslash, padding stripped; empty where absent."""
    element = _element(dataset, tag if isinstance(tag, BaseTag) else BaseTag(tag))
    if isinstance(element, RawDataElement):
        return _raw_text(element, encodings)
    return _joined(_value_parts(element)) if isinstance(element, DataElement) else ""


def _element(dataset: Dataset, tag: BaseTag) -> DataElement | RawDataElement | None:
    """The element as read; one whose value was left on disk is fetched."""
    element = dataset.get_item(tag, keep_deferred=True)
    if not isinstance(element, RawDataElement) or element.value is not None or not element.length:
        return element
    try:
        return dataset[tag]
    except MALFORMED:
        return None


def encodings_of(dataset: Dataset) -> list[str]:
    """Python encodings of Specific Character Set (0008,0005); Latin-1 where it is absent or unknown (PS3.5 6.1.2)."""
    text = element_text(dataset, CHARACTER_SET, [LATIN])
    terms = [re.sub(r"^ISO[ _-]IR[ _-]", "ISO_IR ", term) for term in text.split("\\")]
    return [python_encoding.get(term, LATIN) for term in terms]


def decoded(raw: bytes, encodings: list[str]) -> str:
    """Bytes of a text VR as a string; what cannot be decoded is replaced, never refused."""
    if b"\x1b" not in raw:
        return raw.decode(encodings[0], errors="replace")
    try:
        return ESCAPE.sub("", decode_bytes(raw, encodings, DELIMITERS))
    except (UnicodeError, LookupError, UserWarning):
        return raw.decode(encodings[0], errors="replace")


def _joined(parts: list[str]) -> str:
    stripped = [part.strip(PADDING) for part in parts]
    return "\\".join(stripped) if any(stripped) else ""


def _raw_text(element: RawDataElement, encodings: list[str]) -> str:
    raw = element.value
    if not raw:
        return ""
    vr = _representation(element)
    if vr in BINARY:
        return _joined(_numbers(raw, ("<" if element.is_little_endian else ">") + BINARY[vr]))
    if vr in TEXTLESS:
        return ""
    text = decoded(raw, encodings)
    return _joined(text.split("\\")) if "\\" in text else text.strip(PADDING)


def _representation(element: RawDataElement) -> str:
    """VR of an element; the dictionary's where the data set gives none (implicit VR) or UN."""
    if element.VR and element.VR != "UN":
        return element.VR
    try:
        return dictionary_VR(element.tag)[:2]
    except KeyError:
        return "UN"


def _numbers(raw: bytes, code: str) -> list[str]:
    size = struct.calcsize(code)
    whole = raw[: len(raw) - len(raw) % size]
    return [f"{value:.10g}" if isinstance(value, float) else str(value) for (value,) in struct.iter_unpack(code, whole)]


def _value_parts(element: DataElement) -> list[str]:
    value = element.value
    if value is None or isinstance(value, bytes) or element.VR == "SQ":
        return []
    many = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
    return [f"{part:.10g}" if type(part) is float else str(part) for part in many]
