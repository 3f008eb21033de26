"""Every report that we make is as right under the class that more destinations know."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.deliver.fallback import can_fall_back, fallback_of
from dicomnode.encode.door.items import tree
from dicomnode.encode.known_findings import is_known
from dicomnode.values import Role
from tests.unit.encode.examples import Example
from tests.unit.encode.report.test_detection_report import LARGE, detected
from tests.unit.encode.test_lesions import results
from tests.validators import programs

OBJECTS = (Role.SEG, Role.SR, Role.SR_OHIF)
ANSWERS: dict[str, Callable[[Path], Example]] = {
    "lesions of a segmentation": lambda folder: results(folder, objects=OBJECTS),
    "lesions of a detection": lambda folder: detected(folder, LARGE, objects=OBJECTS),
}
SPATIAL = {"SCOORD", "IMAGE"}
WORDS = {"TEXT", "CODE", "NUM", "UIDREF"}
COMPREHENSIVE = {
    ("CONTAINER", "CONTAINS"): {*WORDS, *SPATIAL, "CONTAINER"},
    ("CONTAINER", "HAS OBS CONTEXT"): WORDS,
    ("CONTAINER", "HAS ACQ CONTEXT"): WORDS,
    ("IMAGE", "HAS ACQ CONTEXT"): WORDS,
    ("NUM", "HAS PROPERTIES"): {*WORDS, *SPATIAL, "CONTAINER"},
    ("NUM", "INFERRED FROM"): {*WORDS, *SPATIAL, "CONTAINER"},
    ("SCOORD", "SELECTED FROM"): {"IMAGE"},
    **{(kind, "HAS CONCEPT MOD"): {"TEXT", "CODE"} for kind in ("CONTAINER", "CODE", "NUM", "TEXT", "IMAGE")},
}
"""Relationships of Comprehensive SR, of the kinds that we use (PS3.3 Table A.35.3-2)."""


@pytest.mark.parametrize("role", [Role.SR, Role.SR_OHIF])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_report_holds_nothing_that_comprehensive_sr_does_not_know(answer: str, role: Role, tmp_path: Path) -> None:
    (one,) = [one for one in ANSWERS[answer](tmp_path).made if one.role is role]

    assert can_fall_back(one.content)
    copy = dcmread(BytesIO(fallback_of(one.content, lambda _: False).content))
    used = {(above.ValueType, item.RelationshipType, item.ValueType) for above, item in tree(copy)}
    assert [use for use in used if use[2] not in COMPREHENSIVE.get(use[:2], set())] == []


@pytest.mark.peers("dciodvfy")
@pytest.mark.parametrize("role", [Role.SR, Role.SR_OHIF])
def test_dciodvfy_finds_nothing_new_in_a_fallback(role: Role, tmp_path: Path) -> None:
    (one,) = [one for one in ANSWERS["lesions of a segmentation"](tmp_path).made if one.role is role]
    path = tmp_path / "fallback.dcm"
    path.write_bytes(fallback_of(one.content, lambda _: False).content)

    assert [finding for finding in programs.dciodvfy(path) if not is_known("dciodvfy", finding)] == []
