"""Findings outside the evaluated domain, shown because the site wants them, are marked in every object."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset

from dicomnode.values import DomainAnswer, Role
from tests.unit.encode.placed import door_says, in_single

RESEARCH = DomainAnswer(inside=False, reasons=("age unknown",), overridden=True)
CAUTION = "Research use only."
ROLES = (Role.SR, Role.KOS, Role.GSPS, Role.PMAP, Role.RTSTRUCT)
SAID: dict[Role, Callable[[Dataset], str]] = {
    Role.KOS: lambda d: " ".join(str(item.get("TextValue", "")) for item in d.ContentSequence),
    Role.GSPS: lambda d: " ".join(
        text.UnformattedTextValue
        for annotation in d.GraphicAnnotationSequence
        for text in annotation.get("TextObjectSequence", [])
    ),
    Role.PMAP: lambda d: str(d.ContentDescription),
    Role.RTSTRUCT: lambda d: str(d.StructureSetROISequence[0].ROIDescription),
}


@pytest.mark.parametrize("role", SAID)
def test_research_use_is_said_in_every_object(role: Role, tmp_path: Path) -> None:
    example = in_single("axial CT", tmp_path, ROLES, RESEARCH)

    assert CAUTION in SAID[role](example.read(role))
    assert door_says(example) == []


@pytest.mark.parametrize("role", SAID)
def test_within_the_evaluated_domain_it_is_not(role: Role, tmp_path: Path) -> None:
    example = in_single("axial CT", tmp_path, ROLES)

    assert CAUTION not in SAID[role](example.read(role))


def test_outside_it_without_the_sites_wish_no_finding_is_shown(tmp_path: Path) -> None:
    outside = DomainAnswer(inside=False, reasons=("age unknown",))

    assert [one.role for one in in_single("axial CT", tmp_path, ROLES, outside).made] == [Role.SR]
