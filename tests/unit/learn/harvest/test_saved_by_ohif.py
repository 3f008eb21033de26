"""A report that OHIF itself saved (tests/data/ohif_saved), against the report of ours that a reader opened in it."""

from pathlib import Path

import pytest
from pydicom import dcmread

from dicomnode.learn.harvest.reader_report import How, Report, matched, read_report

FOLDER = Path(__file__).parents[3] / "data" / "ohif_saved"


def saved(name: str) -> Report:
    return read_report(dcmread(FOLDER / name))


def test_it_is_a_persons_report_and_names_ours_as_its_predecessor() -> None:
    ours, theirs = saved("ai_report.dcm"), saved("reader_report.dcm")

    assert not ours.is_by_person
    assert theirs.is_by_person
    assert theirs.predecessors == (ours.sop_instance_uid,)


def test_its_findings_have_new_tracking_uids_and_are_recognised_all_the_same() -> None:
    ours, theirs = saved("ai_report.dcm"), saved("reader_report.dcm")

    matches = [matched(group, theirs, [ours]) for group in theirs.groups]

    assert {group.tracking_uid for group in theirs.groups}.isdisjoint(group.tracking_uid for group in ours.groups)
    assert [match.how for match in matches] == [How.IMAGE_CODE_PREDECESSOR] * 2
    assert [match.ours for match in matches] == list(ours.groups)


def test_the_outline_that_was_left_alone_is_the_same_and_the_other_reaches_further_right() -> None:
    (front, back), (new_front, new_back) = saved("ai_report.dcm").groups, saved("reader_report.dcm").groups

    assert new_front.outline == pytest.approx(front.outline, abs=0.001)
    assert max(back.outline[::2]) == pytest.approx(16.01)
    assert max(new_back.outline[::2]) > 17
