"""A reader edits an outline of ours in OHIF and saves it: what comes back is theirs, and still says which it was."""

import io

import pytest
from pydicom import Dataset, dcmread

from dicomnode.learn.harvest.reader_report import matched, read_report
from dicomnode.values import Role
from tests.acceptance.viewer.bench import Desk
from tests.acceptance.viewer.pages import StudyPage, until
from tests.acceptance.viewer.phantoms_made import BACK, FRONT, Block, Shown, outlines_of

pytestmark = [pytest.mark.viewer, pytest.mark.peers("Orthanc", "chromium", "cc"), pytest.mark.timeout(600)]


def report_of(study: Shown) -> Dataset:
    (one,) = [one.dataset for one in study.results if one.role is Role.SR_OHIF]
    return one


def saved_beside(desk: Desk, ours: Dataset) -> list[tuple[Dataset, bytes]]:
    """Reports of the study that are not ours."""
    known = {ours.SOPInstanceUID}
    found = []
    for uid, facts in desk.pacs.instances().items():
        if facts["Modality"] == "SR" and facts["StudyInstanceUID"] == ours.StudyInstanceUID and uid not in known:
            content = desk.pacs.file(facts["id"])
            found.append((dcmread(io.BytesIO(content)), content))
    return found


def block_mm2(block: Block) -> float:
    """Area of a block of pixels of 2 × 2 mm."""
    columns, rows = block.size
    return 4.0 * columns * rows


def test_the_report_for_ohif_becomes_measurements_that_can_be_edited_and_its_figures_are_those_of_the_block(
    reading: Desk, studies: dict[str, Shown]
) -> None:
    page = StudyPage(reading, studies["editable"].subject.study_uid)
    page.show("SR")
    rows = page.panel("trackedMeasurements")
    rows.first.wait_for()

    assert [" ".join(text.split()) for text in rows.all_inner_texts()] == [
        "1 Anterior hippocampus",
        "2 Posterior hippocampus",
    ]
    for number, (block, value) in enumerate(((FRONT, 900), (BACK, 1000))):
        page.choose(rows.nth(number))
        until(lambda value=value: f"Mean: {value}" in page.viewport.labels(), f"the mean {value} within the outline")
        page.viewport.picture()
        reading.picture(f"sr editable slice {block.slice}")
        assert f"Min: {value}" in page.viewport.labels()
        (area,) = [line for line in page.viewport.labels().splitlines() if line.startswith("Area:")]
        assert float(area.split()[1]) == pytest.approx(block_mm2(block), rel=0.03)
    assert reading.faults == []


def test_an_outline_that_a_reader_drew_out_comes_back_larger_in_a_report_that_names_ours(
    reading: Desk, studies: dict[str, Shown]
) -> None:
    study = studies["corrected"]
    page = StudyPage(reading, study.subject.study_uid)
    page.show("SR")
    rows = page.panel("trackedMeasurements")
    page.choose(rows.nth(1))
    until(lambda: "Mean: 1000" in page.viewport.labels(), "the second finding")
    page.viewport.picture()
    (drawn,) = page.viewport.outlines()
    page.viewport.pull_out(drawn, by_px=40.0)
    until(lambda: page.viewport.outlines()[0].right > drawn.right + 30, "the outline to follow the pointer")
    reading.picture("sr outline drawn out")
    page.save_report()
    ours = report_of(study)
    until(lambda: len(saved_beside(reading, ours)) == 1, "the reader's report in the PACS")
    ((theirs, content),) = saved_beside(reading, ours)
    (reading.artefacts / "reader_report.dcm").write_bytes(content)
    (reading.artefacts / "ai_report.dcm").write_bytes(study.content(Role.SR_OHIF))

    require_correction(ours, theirs)
    require_recognised(ours, theirs)


def require_correction(ours: Dataset, theirs: Dataset) -> None:
    """The reader's report is about the same findings, and one outline of it is larger."""
    before, after = outlines_of(ours), outlines_of(theirs)
    assert list(after) == list(before) == ["Anterior hippocampus", "Posterior hippocampus"]
    (front, new_front), (back, new_back) = ((before[name], after[name]) for name in before)
    assert (new_front.image, new_back.image) == (front.image, back.image)
    assert new_front.size == pytest.approx(front.size, abs=0.01)
    assert new_back.size[0] > back.size[0] + 1
    assert new_back.size[1] == pytest.approx(back.size[1], abs=0.01)


def require_recognised(ours: Dataset, theirs: Dataset) -> None:
    """The node links every group of the reader's report with the finding of ours that it was."""
    mine, read = read_report(ours), read_report(theirs)
    assert read.is_by_person
    assert read.predecessors == (str(ours.SOPInstanceUID),)
    found = [matched(group, read, [mine]).ours for group in read.groups]
    assert [group and group.tracking_uid for group in found] == [group.tracking_uid for group in mine.groups]
