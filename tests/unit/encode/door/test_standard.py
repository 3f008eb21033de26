"""What the door knows of the standard is what the standard says."""

import json
from importlib.resources import files

from dicomnode.encode.door.attributes import MANDATORY
from dicomnode.encode.door.standard import NOTHING, shape_of, visits
from dicomnode.values import Role
from tests.iods import standard
from tests.unit.encode.examples import Example


def test_the_table_is_made_from_the_standard_and_not_edited() -> None:
    table = json.loads(files("dicomnode.encode.door").joinpath("standard.json").read_text(encoding="utf-8"))

    assert table == standard()


def test_every_kind_of_object_that_may_leave_is_in_it() -> None:
    classes = {uid for mandatory in MANDATORY.values() for uid in mandatory.sop_class_uids}

    assert [uid for uid in classes if shape_of(uid) is NOTHING] == []


def test_an_item_is_looked_at_beside_what_is_asked_of_it_at_its_place(example: Example) -> None:
    seg = example.read(Role.SEG)

    found = {visited.place: visited for visited in visits(seg, shape_of(seg.SOPClassUID))}

    assert "SegmentLabel" in found[("SegmentSequence",)].shape.mandatory.values()
    assert "CodeMeaning" in found[("SegmentSequence", "SegmentedPropertyTypeCodeSequence")].shape.mandatory.values()


def test_content_items_are_looked_at_alike_however_deep_they_stand(example: Example) -> None:
    report = example.report

    found = [v for v in visits(report, shape_of(report.SOPClassUID)) if v.place[-1:] == ("ContentSequence",)]

    assert {len(visited.place) for visited in found} == {1, 2, 3, 4}
    assert len({id(visited.shape) for visited in found}) == 1
