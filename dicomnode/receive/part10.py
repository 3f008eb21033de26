"""The head of a DICOM file: preamble and file meta information (PS3.10 7.1)."""

import struct

from dicomnode import __version__

IMPLEMENTATION_CLASS_UID = "2.25.129163907214763216452914905437562140977"
IMPLEMENTATION_VERSION = f"DICOMNODE {__version__}"[:16]
PREAMBLE = b"\0" * 128 + b"DICM"


def file_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, calling_ae: str) -> bytes:
    """Everything that stands before the data set in a DICOM file."""
    group = (
        struct.pack("<HH2sHI2s", 2, 0x0001, b"OB", 0, 2, b"\0\1")
        + _element(0x0002, b"UI", sop_class_uid)
        + _element(0x0003, b"UI", sop_instance_uid)
        + _element(0x0010, b"UI", transfer_syntax_uid)
        + _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION)
        + (_element(0x0016, b"AE", calling_ae) if calling_ae else b"")
    )
    return PREAMBLE + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(group)) + group


def _element(element: int, representation: bytes, text: str) -> bytes:
    """One element of group 0002, explicit VR little endian, padded to even length (PS3.5 6.2)."""
    value = text.encode("ascii", "replace")
    value += (b"\0" if representation == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 2, element, representation, len(value)) + value
