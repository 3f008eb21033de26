"""What OHIF makes of the objects beside SEG and SR: drawn where the finding is, or at least listed without a fault."""

import pytest

from dicomnode.values import Role
from tests.acceptance.viewer.bench import Desk
from tests.acceptance.viewer.pages import StudyPage, until
from tests.acceptance.viewer.phantoms_made import BACK, FRONT, Shown, is_like, voxel_px
from tests.acceptance.viewer.pixels import bright_box, coloured_box, is_block, likeness

pytestmark = [pytest.mark.viewer, pytest.mark.peers("Orthanc", "chromium", "cc"), pytest.mark.timeout(600)]
OTHERWISE = {"KOS": "KO", "GSPS": "PR", "SC": "OT", "PDF": "DOC"}
"""Kinds of object whose series the study browser lists under another name."""
A_VOXEL = 1.0
"""The colours fade out over the next voxel, where OHIF interpolates."""


@pytest.mark.parametrize("name", ["oblique", "reversed", "flipped"])
def test_a_parametric_map_lies_over_the_block_on_its_own_slice(
    reading: Desk, studies: dict[str, Shown], name: str
) -> None:
    page = StudyPage(reading, studies[name].subject.study_uid)
    page.show("PMAP")
    until(lambda: page.viewport.window() == (100, 50), "the map's own window")
    page.viewport.scroll_until(is_block)
    picture = page.viewport.picture()
    reading.picture(f"pmap {name}")
    seen, drawn = bright_box(picture), coloured_box(picture)

    (block,) = [block for block in (FRONT, BACK) if is_like(seen, block)]  # whichever the wheel came to first
    assert drawn.off(seen) < A_VOXEL * voxel_px(seen, block)
    assert reading.faults == []


def test_every_kind_of_object_is_listed_and_none_is_a_fault(reading: Desk, studies: dict[str, Shown]) -> None:
    study = studies["everything"]
    page = StudyPage(reading, study.subject.study_uid)
    listed = page.series()
    reading.picture("every kind of object")

    made = {one.role for one in study.results}
    assert {"SEG", "SR", "KOS", "GSPS", "PMAP", "RTSTRUCT", "SC", "PDF"} <= made
    assert {OTHERWISE.get(role, role) for role in made} <= {series.split()[0] for series in listed}
    assert reading.faults == []


def test_a_structure_set_is_drawn_around_the_block(reading: Desk, studies: dict[str, Shown]) -> None:
    page = StudyPage(reading, studies["everything"].subject.study_uid)
    page.show("RTSTRUCT")
    rows = page.panel("panelSegmentation")
    rows.first.wait_for()

    names = [" ".join(text.split()) for text in rows.all_inner_texts()]
    assert names == ["1 Anterior hippocampus", "2 Posterior hippocampus"]
    page.choose(rows.first)
    until(lambda: page.viewport.instance() == FRONT.slice + 1, "the structure's slice")
    picture = page.viewport.picture()
    reading.picture("rtstruct")
    seen, (drawn,) = bright_box(picture), page.viewport.outlines()
    assert drawn.off(seen) < 0.5 * voxel_px(seen, FRONT)


def test_the_summary_picture_is_shown_as_it_was_made(reading: Desk, studies: dict[str, Shown]) -> None:
    study = studies["everything"]
    page = StudyPage(reading, study.subject.study_uid)
    page.show("OT")
    until(lambda: page.viewport.window() == (256, 128), "the picture's own window")
    seen = page.viewport.picture()
    reading.picture("sc")

    (made,) = [one.dataset for one in study.results if one.role is Role.SC]
    assert likeness(seen, made.pixel_array) > 0.9


def test_the_pdf_report_is_opened(reading: Desk, studies: dict[str, Shown]) -> None:
    page = StudyPage(reading, studies["everything"].subject.study_uid)
    page.show("DOC")
    shown = page.page.locator("object[type='application/pdf'], embed[type='application/pdf'], iframe")
    shown.first.wait_for()
    reading.picture("pdf")

    assert shown.first.is_visible()
