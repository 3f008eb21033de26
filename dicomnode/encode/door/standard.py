"""What PS3.3 asks of every attribute of our kinds of object, at every depth, and walking an object beside it.

`standard.json` is made from the standard's own tables (`tests/iods.py`); nothing of it is written by hand.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement


@dataclass(slots=True)
class Shape:
    """What is asked of one data set or item; keys are tags, values keywords."""

    mandatory: dict[int, str] = field(default_factory=dict)
    """Attributes of type 1."""
    present: dict[int, str] = field(default_factory=dict)
    """Attributes of type 2."""
    not_empty: dict[int, str] = field(default_factory=dict)
    """Attributes of type 1C: with a value, or not there."""
    items: dict[int, "Shape"] = field(default_factory=dict)
    """Shapes of the items of its sequences."""


@dataclass(frozen=True, slots=True)
class Visited:
    """One data set of an object: the object itself, or an item at any depth."""

    place: tuple[str, ...]
    """Keywords of the sequences that lead to it; empty for the object itself."""
    dataset: Dataset
    elements: dict[int, DataElement]
    """By tag, in no order."""
    shape: Shape


NOTHING = Shape()
CONTENT = tag_for_keyword("ContentSequence") or 0


def shape_of(sop_class_uid: str) -> Shape:
    """What is asked of an object of one SOP class; nothing where we do not make that class."""
    return _shapes().get(sop_class_uid, NOTHING)


def visits(dataset: Dataset, shape: Shape, place: tuple[str, ...] = ()) -> Iterator[Visited]:
    """An object and every item in it, depth first."""
    found = elements_of(dataset)
    yield Visited(place, dataset, found, shape)
    for element in found.values():
        if element.VR == "SQ":
            items, inside = _items_of(shape, element, place), (*place, element.keyword)
            for item in element.value:
                yield from visits(item, items, inside)


def elements_of(dataset: Dataset) -> dict[int, DataElement]:
    """The elements of one data set by tag; several times faster than to iterate over it."""
    found: dict[int, DataElement] = {}
    for tag, element in dataset.items():
        found[tag] = dataset[tag] if isinstance(element, RawDataElement) else element
    return found


def _items_of(shape: Shape, element: DataElement, place: tuple[str, ...]) -> Shape:
    """The shape of a sequence's items; content items nest in content items."""
    if element.tag == CONTENT and place[-1:] == ("ContentSequence",):
        return shape
    return shape.items.get(element.tag, NOTHING)


@cache
def _shapes() -> dict[str, Shape]:
    text = files("dicomnode.encode.door").joinpath("standard.json").read_text(encoding="utf-8")
    table = json.loads(text)
    shapes = [Shape() for _ in table["shapes"]]
    for shape, rows in zip(shapes, table["shapes"], strict=True):
        _fill(shape, rows, shapes)
    return {uid: shapes[number] for uid, number in table["iods"].items()}


def _fill(shape: Shape, rows: dict[str, str | list[str | int]], shapes: list[Shape]) -> None:
    for keyword, row in rows.items():
        kind, tag = str(row[0] if isinstance(row, list) else row), _tag(keyword)
        if (asked := {"1": shape.mandatory, "2": shape.present, "1C": shape.not_empty}.get(kind)) is not None:
            asked[tag] = keyword
        if isinstance(row, list):
            shape.items[tag] = shapes[int(row[1])]


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword} is no attribute of the standard")
    return tag
