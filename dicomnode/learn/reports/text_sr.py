"""A written report: a Basic Text SR, or an Enhanced or Comprehensive SR that holds text and nothing coded.

Source: PS3.3 A.35.1 (Basic Text SR), A.35.2 (Enhanced SR), A.35.3 (Comprehensive SR), A.35.13 (Comprehensive 3D SR).
"""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.door.items import concept, tree
from dicomnode.learn.harvest.reader_report import REPORTS

BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
MEASUREMENTS = ("1500", "126000/DCM")
"""Template and title of a report whose findings are coded (PS3.16 TID 1500)."""
ABOUT = ("HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS ACQ CONTEXT")
"""Relationships of what an item is about: observer, language, procedure; no finding."""
CODED = ("CODE", "NUM", "SCOORD", "SCOORD3D", "TCOORD")
DEEPEST = 32
"""Containers within containers; a document that goes deeper is broken."""


def is_written(document: Dataset) -> bool:
    """Whether a document that may hold coded findings holds text instead."""
    if str(document.get("SOPClassUID", "")) not in REPORTS or _is_coded(document):
        return False
    return report_text(document) is not None


def report_text(dataset: Dataset) -> str | None:
    """The text of a report, headings as "HEADING:" lines; None where it is no text report or holds no text.

    A report with measurements, or with codes as findings, is not read here: what it says is coded.
    """
    uid = str(dataset.get("SOPClassUID", ""))
    if uid not in (BASIC_TEXT, *REPORTS) or (uid != BASIC_TEXT and _is_coded(dataset)):
        return None
    lines = list(_lines(dataset, 0))
    return "\n".join(lines) if any(not line.endswith(":") for line in lines) else None


def _is_coded(document: Dataset) -> bool:
    template, title = MEASUREMENTS
    templates = [str(item.get("TemplateIdentifier", "")) for item in document.get("ContentTemplateSequence") or ()]
    if template in templates or concept(document) == title:
        return True
    return any(_type(item) in CODED and not _is_about(item) for _, item in tree(document))


def _is_about(item: Dataset) -> bool:
    return str(item.get("RelationshipType", "")).strip().upper() in ABOUT


def _lines(dataset: Dataset, depth: int) -> Iterator[str]:
    """Headings are those of containers, and of a text's own concept name."""
    if depth > DEEPEST:
        return
    for item in dataset.get("ContentSequence") or ():
        if _is_about(item):
            continue
        heading = _heading(item)
        if _type(item) == "TEXT" and (text := str(item.get("TextValue", "")).strip()):
            yield f"{heading}:\n{text}\n" if heading else f"{text}\n"
        elif _type(item) == "CONTAINER":
            if heading:
                yield f"{heading}:"
            yield from _lines(item, depth + 1)


def _type(item: Dataset) -> str:
    return str(item.get("ValueType", "")).strip().upper()


def _heading(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence") or ()
    return str(names[0].get("CodeMeaning", "")).strip() if names else ""
