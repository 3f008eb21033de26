"""Headers of the source images, made fit for highdicom 0.28: one character set, nothing it needs left out.

The patient's name is kept apart: highdicom would quote an unusual one in a warning, and so in a log. highdicom
copies the source's Specific Character Set and refuses multi-valued ones that begin empty (Japanese and
Korean sites) and "ISO_IR 6"; and it reads type 2 attributes that real scanners leave out.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import DataElement, Dataset, dcmread

from dicomnode.index.element_text import ESCAPE
from dicomnode.values import Volume

UTF_8 = "ISO_IR 192"
TEXTS = frozenset({"PN", "LO", "SH", "LT", "ST", "UT", "UC"})
"""VRs that Specific Character Set holds for (PS3.5 6.1.2.3)."""

TYPE_2 = (
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
)
"""Supplied empty where missing (PS3.3 C.7.1.1, C.7.2.1)."""


@dataclass(frozen=True)
class Sources:
    """Headers, the first of them normalised, and the name that it leaves out."""

    headers: tuple[Dataset, ...]
    patient_name: str


def sources_of(paths: Iterable[Path], gap_mm: float = 1.0) -> Sources:
    """The headers of these files, each once, in this order; of the others highdicom reads geometry and UIDs alone."""
    first, *others = (header(path) for path in dict.fromkeys(paths))
    patient_name = str(normalised(first, gap_mm).PatientName or "")
    first.PatientName = ""
    return Sources((first, *others), patient_name)


def leading(image: Dataset, sources: Sources, gap_mm: float = 1.0) -> Dataset:
    """One of these headers, made fit to be the first that highdicom is given: normalised, without the name; a copy."""
    first = copy.deepcopy(image)
    if image is not sources.headers[0]:
        normalised(first, gap_mm).PatientName = ""
    return first


def header(path: Path) -> Dataset:
    """A file's data set without its pixels."""
    return dcmread(path, stop_before_pixels=True)


def slice_gap_mm(volume: Volume) -> float:
    """Distance from one slice to the next; 1 where there is no geometry."""
    return float(np.linalg.norm(volume.affine_lps[:3, 2])) or 1.0


def normalised(image: Dataset, gap_mm: float = 1.0) -> Dataset:
    """The same header in UTF-8, with the attributes that highdicom reads unasked."""
    image.decode()
    image.walk(_settle_text)
    image.SpecificCharacterSet = UTF_8
    for keyword in TYPE_2:
        if keyword not in image:
            setattr(image, keyword, None if keyword.endswith("Name") else "")
    if "ImagePositionPatient" in image and not image.get("SliceThickness"):
        image.SliceThickness = image.get("SpacingBetweenSlices") or round(gap_mm, 6)
    _share_groups(image)
    return image


def _settle_text(_: Dataset, element: DataElement) -> None:
    """Person names keep their encoded bytes and would be written as they were; pydicom leaves some escapes in texts."""
    if element.VR in TEXTS and element.VM and (element.VR == "PN" or "\x1b" in str(element.value)):
        values = [without_escapes(str(one)) for one in (element.value if element.VM > 1 else [element.value])]
        element.value = values if len(values) > 1 else values[0]


def without_escapes(text: str) -> str:
    """A text as a reader sees it: pydicom decodes ISO 2022 IR 58 and leaves its escape sequences standing."""
    return ESCAPE.sub("", text)


def _share_groups(image: Dataset) -> None:
    """Highdicom looks for plane orientation and pixel measures in the shared groups alone."""
    if "PerFrameFunctionalGroupsSequence" not in image:
        return
    shared = image.SharedFunctionalGroupsSequence[0]
    first = image.PerFrameFunctionalGroupsSequence[0]
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if keyword not in shared and keyword in first:
            setattr(shared, keyword, getattr(first, keyword))
