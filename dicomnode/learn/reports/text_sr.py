"""A Basic Text SR, or an Enhanced SR that holds text alone, as report text.

Source: PS3.3 A.35.1 (Basic Text SR), A.35.2 (Enhanced SR).
"""

from collections.abc import Iterator

from pydicom import Dataset

BASIC_TEXT = "1.2.840.10008.5.1.4.1.1.88.11"
ENHANCED = "1.2.840.10008.5.1.4.1.1.88.22"
DEEPEST = 32
"""Containers within containers; a document that goes deeper is broken."""


def report_text(dataset: Dataset) -> str | None:
    """The text of a report, headings as "HEADING:" lines; None where it is no text report or holds no text.

    An Enhanced SR with measurements or codes as findings is not read here: what it says is coded.
    """
    uid = str(dataset.get("SOPClassUID", ""))
    if uid not in (BASIC_TEXT, ENHANCED):
        return None
    if uid == ENHANCED and any(_type(item) == "NUM" for item in _items(dataset)):
        return None
    lines = list(_lines(dataset, 0))
    return "\n".join(lines) if any(not line.endswith(":") for line in lines) else None


def _lines(dataset: Dataset, depth: int) -> Iterator[str]:
    """Headings are those of containers, and of a text's own concept name."""
    if depth > DEEPEST:
        return
    for item in dataset.get("ContentSequence") or ():
        heading = _heading(item)
        if _type(item) == "TEXT" and (text := str(item.get("TextValue", "")).strip()):
            yield f"{heading}:\n{text}\n" if heading else f"{text}\n"
        elif _type(item) == "CONTAINER":
            if heading:
                yield f"{heading}:"
            yield from _lines(item, depth + 1)


def _items(dataset: Dataset, depth: int = 0) -> Iterator[Dataset]:
    for item in dataset.get("ContentSequence") or ():
        yield item
        if depth < DEEPEST:
            yield from _items(item, depth + 1)


def _type(item: Dataset) -> str:
    return str(item.get("ValueType", "")).strip().upper()


def _heading(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence") or ()
    return str(names[0].get("CodeMeaning", "")).strip() if names else ""
