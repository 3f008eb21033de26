"""Left or right: what is said of one side means no output of a model for the other.

Where nothing is said of the side, the model's input fixes it (`laterality` in dicom.toml).
"""

from collections.abc import Iterable, Iterator

from pydicom import Dataset

from dicomnode.encode.door.items import code_text, concept, tree
from dicomnode.index.headers import items_of
from dicomnode.learn.harvest.meanings import Meant, plain_code

LATERALITY = "272741003/SCT"
RIGHT, LEFT, BOTH = "24028007/SCT", "7771000/SCT", "51440002/SCT"
SIDES = frozenset((RIGHT, LEFT, BOTH))
"""PS3.16 CID 244."""


def of_side(meant: Iterable[Meant], sides: frozenset[str]) -> list[Meant]:
    """Of outputs that a code or word means, those that sides do not contradict."""
    return [one for one in meant if not one.side or not sides or {one.side, BOTH} & sides]


def sides_said(item: Dataset) -> frozenset[str]:
    """Sides that a content item, or one below it, says it is of."""
    named = (one for one in (item, *(below for _, below in tree(item))) if plain_code(concept(one)) == LATERALITY)
    return _known(code_text(one, "ConceptCodeSequence") for one in named)


def sides_drawn(segment: Dataset) -> frozenset[str]:
    """Sides that a segment is of, by the modifiers of its type and of its region (PS3.3 C.8.20.2, C.8.20.4)."""
    return _known(_modifiers(segment))


def _modifiers(segment: Dataset) -> Iterator[str]:
    for keyword, modifiers in (
        ("SegmentedPropertyTypeCodeSequence", "SegmentedPropertyTypeModifierCodeSequence"),
        ("AnatomicRegionSequence", "AnatomicRegionModifierSequence"),
    ):
        for coded in items_of(segment, keyword):
            for modifier in items_of(coded, modifiers):
                yield f"{modifier.get('CodeValue', '')}/{modifier.get('CodingSchemeDesignator', '')}"


def _known(codes: Iterable[str]) -> frozenset[str]:
    return frozenset(map(plain_code, codes)) & SIDES
