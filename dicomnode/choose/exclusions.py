"""Kinds of image that no model takes unless its dicom.toml admits them, and what is no image at all."""

import re
from collections.abc import Callable

from dicomnode.bundles.dicom_toml import Exclusion
from dicomnode.values import Header

NO_IMAGES = (
    ("1.2.840.10008.5.1.4.1.1.88.", "a structured report or key object"),
    ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state"),
    ("1.2.840.10008.5.1.4.1.1.66", "a segmentation, registration or raw data"),
    ("1.2.840.10008.5.1.4.1.1.30", "a parametric map"),
    ("1.2.840.10008.5.1.4.1.1.481.", "a radiotherapy object"),
    ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.9.", "a waveform"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "a spectrum"),
    ("1.2.840.10008.5.1.4.1.1.78.", "a measurement"),
    ("1.2.840.10008.5.1.4.1.1.79.", "a measurement"),
    ("1.2.840.10008.5.1.4.1.1.80.", "a measurement"),
)
"""SOP classes (by their first part) that are never analysed."""
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
LOCALIZER_WORDS = re.compile(r"\b(locali[sz]ers?|scouts?|topograms?|scanograms?|surview|3[- ]?plane)\b", re.IGNORECASE)
MIP_TYPE = re.compile(r"^(.*[_ ])?(MIP|MINIP|MIN_IP|MAX_IP|PROJECTION IMAGE)([_ ].*)?$", re.IGNORECASE)
MIP_WORDS = re.compile(r"\b(mip|minip|mips|maximum intensity)\b", re.IGNORECASE)


def no_image(header: Header) -> str | None:
    """What an object is that is no image; None for an image."""
    sop_class = header.text("SOPClassUID")
    return next((words for start, words in NO_IMAGES if sop_class.startswith(start)), None)


def exclusions_of(header: Header) -> dict[Exclusion, str]:
    """The general exclusions that an image falls under, each with what shows it."""
    found = {kind: shown(header) for kind, shown in SHOWN.items()}
    return {kind: words for kind, words in found.items() if words}


def _localizer(header: Header) -> str:
    if {"LOCALIZER", "SCOUT"} & _types(header):
        return _image_type(header)
    return _described(header, LOCALIZER_WORDS)


def _derived(header: Header) -> str:
    return _image_type(header) if header.parts("ImageType")[:1] == ("DERIVED",) else ""


def _secondary(header: Header) -> str:
    if header.text("SOPClassUID").startswith(SECONDARY_CAPTURE):
        return "Secondary Capture"
    return _image_type(header) if header.parts("ImageType")[1:2] == ("SECONDARY",) else ""


def _mip(header: Header) -> str:
    if any(MIP_TYPE.match(part) for part in header.parts("ImageType")):
        return _image_type(header)
    return _described(header, MIP_WORDS)


def _described(header: Header, words: re.Pattern[str]) -> str:
    description = header.text("SeriesDescription")
    return f"its description {description!r}" if words.search(description.replace("_", " ")) else ""


def _image_type(header: Header) -> str:
    return f"ImageType {header.text('ImageType')}"


def _types(header: Header) -> set[str]:
    return {part.upper() for part in header.parts("ImageType")}


SHOWN: dict[Exclusion, Callable[[Header], str]] = {
    Exclusion.LOCALIZER: _localizer,
    Exclusion.DERIVED: _derived,
    Exclusion.SECONDARY: _secondary,
    Exclusion.MIP: _mip,
}
"""For each kind: what in a header shows it, in words; empty where nothing does."""
