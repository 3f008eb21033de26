"""What each finding of a CAD report must say: who found it, how sure, and where on which image (TID 4006, 4104)."""

from collections.abc import Iterator

import numpy as np
from pydicom import Dataset

from dicomnode.encode.door.cad_tree import Tree, item_at
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, concept, groups, tracking_of

FINDING = "111059/DCM"
PERFORMED, SERIES = "111022/DCM", "112002/DCM"
PLACE = "ReferencedContentItemIdentifier"
CENTER, OUTLINE, CERTAINTY = "111010/DCM", "111041/DCM", "111012/DCM"
NEEDED = {
    "111056/DCM": "Rendering Intent (111056, DCM)",
    "112039/DCM": "Tracking Identifier (112039, DCM)",
    "112040/DCM": "Tracking Unique Identifier (112040, DCM)",
    "111001/DCM": "Algorithm Name (111001, DCM)",
    "111003/DCM": "Algorithm Version (111003, DCM)",
    CENTER: "Center (111010, DCM)",
}
ALGORITHM = ("111001/DCM", "111003/DCM")
BEYOND = 1e-3
"""Pixels that a coordinate may lie outside, for rounding."""


def finding_faults(document: Dataset, expected: Expected) -> Iterator[str]:
    """Items that a finding lacks, places outside its image, and findings that no other object knows."""
    known = {tracking_of(group) for report in expected.reports for group in groups(report)}
    items = Tree.of(document).items
    for number, finding in enumerate((item for item in items if concept(item) == FINDING), 1):
        yield from (f"finding {number}: {fault}" for fault in _faults(document, finding, expected))
        if known and tracking_of(finding) not in known:
            yield f"finding {number} is tracked under other identifiers than in the SR"
    for item in items:
        if concept(item) == PERFORMED:
            yield from (f"a detection has no {NEEDED[name]}" for name in ALGORITHM if not children(item, name))
            yield from _input_faults(item, expected)


def _faults(document: Dataset, finding: Dataset, expected: Expected) -> Iterator[str]:
    for name, words in NEEDED.items():
        if len(children(finding, name)) != 1:
            yield f"{words} is missing"
    for item in children(finding, CERTAINTY):
        measured = (item.get("MeasuredValueSequence") or [Dataset()])[0]
        units = (measured.get("MeasurementUnitsCodeSequence") or [Dataset()])[0]
        if units.get("CodeValue") != "%" or not 0 <= float(measured.get("NumericValue") or 0) <= 100:
            yield "its certainty is no percentage"
    for item in (*children(finding, CENTER), *children(finding, OUTLINE)):
        yield from _place_faults(document, item, expected)


def _place_faults(document: Dataset, item: Dataset, expected: Expected) -> Iterator[str]:
    data = _numbers(item)
    if concept(item) == CENTER and (item.get("GraphicType") != "POINT" or len(data) != 2):
        yield "its center is not one point"
    if concept(item) == OUTLINE and (item.get("GraphicType") != "POLYLINE" or len(data) < 8 or data[:2] != data[-2:]):
        yield "its outline is not a closed line"
    selected = [item_at(document, child) for child in item.get("ContentSequence") or ()]
    images = [one for one in selected if one is not None and one.get("ValueType") == "IMAGE"]
    if len(images) != 1:
        yield "its place names no image of the library"
        return
    columns, rows = _size(images[0], expected)
    inside = all(-BEYOND <= x <= columns + BEYOND for x in data[::2])
    if not (inside and all(-BEYOND <= y <= rows + BEYOND for y in data[1::2])):
        yield f"its place lies outside its image of {columns:.0f} columns and {rows:.0f} rows"


def _numbers(item: Dataset) -> list[float]:
    """Graphic Data, however many numbers it holds."""
    value = item.get("GraphicData")
    numbers: list[float] = np.atleast_1d(np.array([] if value is None else value, dtype=np.float64)).tolist()
    return numbers


def _size(entry: Dataset, expected: Expected) -> tuple[float, float]:
    """Columns and rows of an image of the library; nothing where the study does not have it."""
    reference = (entry.get("ReferencedSOPSequence") or [Dataset()])[0]
    header = expected.header_of(str(reference.get("ReferencedSOPInstanceUID", "")))
    size = (*header.numbers("Columns"), *header.numbers("Rows")) if header else ()
    return (size[0], size[1]) if len(size) == 2 else (0.0, 0.0)


def _input_faults(performed: Dataset, expected: Expected) -> Iterator[str]:
    """A detection worked on images of the library or on series of the study (TID 4017 rows 4 and 5)."""
    series = [str(item.get("UID", "")) for item in children(performed, SERIES)]
    if not series and not any(PLACE in item for item in performed.get("ContentSequence") or ()):
        yield "a detection does not say which images it worked on"
    if set(series) - {instance.series_uid for instance in expected.instances.values()}:
        yield "a detection worked on a series that is not in the study"
