"""Which of our findings a group of a reader's report is about."""

import copy
from pathlib import Path

import pytest
from pydicom import Dataset

from dicomnode.encode.door.items import groups
from dicomnode.learn.harvest.reader_report import Group, How, Report, matched, read_report
from dicomnode.values import Role
from tests.phantom import mr_series, uid
from tests.unit.encode.examples import segmentation_results


def group(tracking: str = "t1", code: str = "1/SCT", image: str = "image 1") -> Group:
    return Group(tracking, "a finding", code, frozenset({(image, 1)}), (0.0, 0.0, 1.0, 0.0, 0.0, 0.0))


def report(name: str, *found: Group, replaces: tuple[str, ...] = ()) -> Report:
    return Report(name, "Reader^One", is_by_person=True, predecessors=replaces, groups=found)


OURS = report("ours", group("t1", "1/SCT", "image 1"), group("t2", "2/SCT", "image 1"), group("t3", "2/SCT", "image 2"))


def test_the_same_tracking_uid_is_the_same_finding() -> None:
    reader = report("reader", group("t2", code="", image="elsewhere"))

    match = matched(reader.groups[0], reader, [OURS])

    assert (match.ours, match.report_uid, match.how) == (OURS.groups[1], "ours", How.TRACKING)


def test_a_new_tracking_uid_is_understood_by_image_code_and_predecessor() -> None:
    reader = report("reader", group("new", "2/SCT", "image 2"), replaces=("ours",))

    match = matched(reader.groups[0], reader, [OURS])

    assert (match.ours, match.how) == (OURS.groups[2], How.IMAGE_CODE_PREDECESSOR)


@pytest.mark.parametrize(
    ("found", "replaces", "words"),
    [
        (group("new", "2/SCT", "image 2"), (), "no report of ours is named as its predecessor"),
        (group("new", "2/SCT", "image 2"), ("somebody else's",), "no report of ours is named"),
        (group("new", "2/SCT", "image 9"), ("ours",), "no finding of ours has its code on its image"),
        (group("new", "", "image 1"), ("ours",), "no finding of ours has its code on its image"),
    ],
)
def test_what_is_not_sure_stays_unlinked_with_the_reason(found: Group, replaces: tuple[str, ...], words: str) -> None:
    reader = report("reader", found, replaces=replaces)

    match = matched(found, reader, [OURS])

    assert match.ours is None
    assert words in match.reason


def test_two_findings_of_one_code_on_one_image_are_ambiguous_and_kept_for_a_person() -> None:
    ours = report("ours", group("t1"), group("t2"))
    reader = report("reader", group("new"), replaces=("ours",))

    match = matched(reader.groups[0], reader, [ours])

    assert match.ours is None
    assert match.reason == "2 findings of ours have its code on its image"


def test_our_own_report_is_read_back_with_each_finding_and_its_image(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)
    sr = next(one.dataset for one in example.made if one.role is Role.SR)

    read = read_report(sr)

    assert not read.is_by_person
    drawn = [one for one in read.groups if one.outline]
    assert {next(iter(one.images))[0] for one in drawn} <= {frame.sop_instance_uid for frame in example.volume.frames}
    assert len({one.tracking_uid for one in drawn}) == 2


def test_a_document_without_measurements_has_no_groups() -> None:
    document = Dataset()
    document.SOPInstanceUID = uid("empty")

    assert read_report(document).groups == ()


def test_a_group_copied_with_another_outline_is_the_same_finding(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)
    sr = next(one.dataset for one in example.made if one.role is Role.SR)
    edited = copy.deepcopy(sr)
    edited.SOPInstanceUID = uid("edited")
    ours, reader = read_report(sr), read_report(edited)

    matches = [matched(one, reader, [ours]) for one in reader.groups]

    assert len(groups(sr)) == len(matches)
    assert {match.how for match in matches} == {How.TRACKING}
