"""Every way to break a finished object that its own attributes suggest: nothing here is picked by hand.

A class of attributes is one keyword at one place, whatever the number of its item ("SegmentSequence/SegmentLabel");
content items of each value type and name are classes of their own. Of each class the first attribute is broken.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

from pydicom import DataElement, Dataset

from dicomnode.encode.door.attributes import COMMON_1, MANDATORY, held_where
from dicomnode.encode.door.items import concept
from dicomnode.encode.door.standard import Visited, shape_of, visits
from dicomnode.values import Role
from tests.phantom import uid

OTHER_UID = uid("somebody else's")


@dataclass(frozen=True)
class Broken:
    """One attribute of a finished object, about to be broken."""

    place: str
    """Its class: where it stands and what it is called."""
    kind: str
    """What the standard, or we, ask of it: type 1, 1C, 2 or 3."""
    item: Dataset
    element: DataElement


def attributes_of(dataset: Dataset, role: Role) -> list[Broken]:
    """The first attribute of each class of an object."""
    found: dict[str, Broken] = {}
    for visited in visits(dataset, shape_of(str(dataset.SOPClassUID))):
        for element in visited.elements.values():
            place = "/".join((*visited.place, named(visited.dataset), element.keyword)).replace("//", "/").lstrip("/")
            found.setdefault(place, Broken(place, _kind(visited, element, role), visited.dataset, element))
    return list(found.values())


def named(item: Dataset) -> str:
    """Value type and name of a content item; nothing for other items."""
    return f"{item.ValueType} {concept(item)}" if "ValueType" in item and "RelationshipType" in item else ""


def _kind(visited: Visited, element: DataElement, role: Role) -> str:
    shape = visited.shape
    ours = (*COMMON_1, *MANDATORY[role].type_1) if not visited.place else held_where(visited.place)
    if element.tag in shape.mandatory or element.keyword in ours:
        return "1"
    if element.tag in shape.not_empty:
        return "1C"
    return "2" if element.tag in shape.present else "3"


@contextmanager
def put_back(one: Broken) -> Iterator[None]:
    """The object as it was, once the block ends."""
    kept = deepcopy(one.element)
    yield
    one.item[kept.tag] = one.element if one.element == kept else kept


def delete(one: Broken) -> None:
    del one.item[one.element.tag]


def empty(one: Broken) -> None:
    one.item[one.element.tag] = DataElement(one.element.tag, one.element.VR, [] if one.element.VR == "SQ" else None)


def replace_uid(one: Broken) -> None:
    """The first UID of a value by one of nobody's."""
    others = list(one.element.value)[1:] if one.element.VM > 1 else []
    value = [OTHER_UID, *others] if others else OTHER_UID
    one.item[one.element.tag] = DataElement(one.element.tag, "UI", value)


def another_unit(one: Broken) -> None:
    units = deepcopy(one.element.value)
    units[0].CodeValue, units[0].CodeMeaning = "kg", "kilogram"
    one.item[one.element.tag] = DataElement(one.element.tag, "SQ", units)


def another_word(one: Broken) -> None:
    one.item[one.element.tag] = DataElement(one.element.tag, one.element.VR, "OTHER")


def one_more(one: Broken) -> None:
    one.item[one.element.tag] = DataElement(one.element.tag, one.element.VR, int(one.element.value) + 1)


def one_less(one: Broken) -> None:
    one.item[one.element.tag] = DataElement(one.element.tag, one.element.VR, int(one.element.value) - 1)


def cut(one: Broken) -> None:
    """Bytes without their last two, a sequence without its last item."""
    whole = one.element.value
    value = whole[:-2] if isinstance(whole, bytes) else list(whole)[:-1] if one.element.VM > 1 else []
    one.item[one.element.tag] = DataElement(one.element.tag, one.element.VR, value)


@dataclass(frozen=True)
class Way:
    """One way to break attributes, and which ones it breaks."""

    change: Callable[[Broken], None]
    applies: Callable[[Broken], bool]


IDENTITY = ("PatientName", "PatientID", "StudyID", "AccessionNumber", "ReferringPhysicianName")
PIXELS = ("PixelData", "FloatPixelData", "EncapsulatedDocument")
COUNTS = ("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel")
LISTS = (
    "ReferencedSOPSequence",
    "ReferencedSeriesSequence",
    "CurrentRequestedProcedureEvidenceSequence",
    "PerFrameFunctionalGroupsSequence",
    "SegmentSequence",
    "DimensionIndexSequence",
    "GraphicData",
    "DimensionIndexValues",
    "ImagePositionPatient",
)
WAYS: dict[str, Way] = {
    "deleted": Way(delete, lambda one: one.kind in ("1", "1C", "2")),
    "emptied": Way(empty, lambda one: one.kind in ("1", "1C")),
    "another UID": Way(replace_uid, lambda one: one.element.VR == "UI" and not one.element.is_empty),
    "another unit": Way(another_unit, lambda one: one.element.keyword == "MeasurementUnitsCodeSequence"),
    "another word": Way(
        another_word,
        lambda one: one.element.keyword in ("ValueType", "RelationshipType", "GraphicType", "Modality", *IDENTITY),
    ),
    "one more": Way(one_more, lambda one: one.element.keyword in (*COUNTS, "ReferencedSegmentNumber")),
    "one less": Way(one_less, lambda one: one.element.keyword in (*COUNTS, "ReferencedSegmentNumber")),
    "cut": Way(cut, lambda one: one.element.keyword in (*PIXELS, *LISTS) and not one.element.is_empty),
}
"""Deleting and emptying what is mandatory; wrong references; wrong units, words and numbers; lost parts."""
