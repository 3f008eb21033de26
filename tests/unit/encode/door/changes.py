"""Changing one result and asking the door's own checks what they say."""

from collections.abc import Callable
from typing import Any

from pydicom import Dataset

from dicomnode.encode.context import Encoded
from dicomnode.encode.door import CHECKS
from dicomnode.encode.door.dciodvfy import validator_faults
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, groups, tree
from dicomnode.values import Role
from tests.unit.encode.examples import Example

Change = tuple[Callable[[Any], object], str]
"""What is done to a data set, and what is then said."""
OWN_CHECKS = [check for check in CHECKS if check is not validator_faults]


def faults(example: Example, role: Role, change: Callable[[Any], object]) -> str:
    """What the door's own checks say once one result was changed."""
    dataset = example.read(role)
    change(dataset)
    made = tuple(Encoded(one.role, dataset if one.role is role else one.dataset) for one in example.made)
    expected = Expected(made, example.run, example.rules, example.series)
    return "; ".join(fault for check in OWN_CHECKS for fault in check(expected))


def group(document: Dataset) -> Dataset:
    """The first measurement group that refers to a segment, or else the first."""
    every = groups(document)
    return next((one for one in every if children(one, "121191/DCM")), every[0])


def first(document: Dataset, kind: str) -> Dataset:
    """The first item of a value type in `group`, or else in any measurement group."""
    return next(i for g in (group(document), *groups(document)) for _, i in tree(g) if i.ValueType == kind)


def drop(item: Dataset, name: str) -> None:
    """Take the items of a name from below another."""
    for child in children(item, name):
        item.ContentSequence.remove(child)


def site_with_side(document: Dataset) -> None:
    side, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "272741003", "SCT", "Laterality"
    side.ValueType, side.RelationshipType, side.ConceptNameCodeSequence = "CODE", "HAS CONCEPT MOD", [code]
    children(group(document), "363698007/SCT")[0].ContentSequence = [side]
