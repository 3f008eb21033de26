"""Findings of validators that are no fault of ours, each with the section of the standard that says so.

A test holds the length of this list: an entry is added on purpose or not at all.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFinding:
    """One message of one validator that is not counted."""

    validator: str
    text: str
    """The whole message, without the place of the item in its sequences."""
    section: str
    """Section of the standard by which the object is right."""
    why: str


KNOWN_FINDINGS = (
    KnownFinding(
        "dciodvfy",
        "Warning - CodingSchemeDesignator(0008,0102) - Unrecognized defined term = <99DICOMNODE>",
        "PS3.3 8.2; PS3.16 8.2",
        "a scheme that begins with 99 is a local one, by rule",
    ),
    KnownFinding(
        "dciodvfy",
        "Warning - DeviceUID(0018,1002) - Attribute is not present in standard DICOM IOD",
        "PS3.3 C.12.1.1 Table C.12-1, Contributing Equipment Sequence",
        "Device UID is an attribute of the item; the validator's table is older",
    ),
    KnownFinding(
        "dsrdump",
        "W: The VR checker does not support this Specific Character Set: ISO_IR 192",
        "PS3.3 C.12.1.1.2",
        "DCMTK does not check values in UTF-8",
    ),
)


def is_known(validator: str, text: str) -> bool:
    """Whether a finding is on the list."""
    return any(entry.validator == validator and entry.text == text for entry in KNOWN_FINDINGS)
