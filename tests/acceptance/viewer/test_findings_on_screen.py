"""What a radiologist sees of our results in OHIF: listed, on the right slice, named, coloured, readable."""

import pytest

from tests.acceptance.viewer.bench import Desk
from tests.acceptance.viewer.pages import StudyList, StudyPage, until
from tests.acceptance.viewer.phantoms_made import BACK, FRONT, Block, Shown, voxel_px
from tests.acceptance.viewer.pixels import bright_box, colour_of, coloured_box

pytestmark = [pytest.mark.viewer, pytest.mark.peers("Orthanc", "chromium", "cc"), pytest.mark.timeout(600)]
STACKS = ("axial", "oblique", "reversed", "flipped")
HALF_A_VOXEL = 0.5
RED, GREEN = (234, 103, 95), (44, 165, 89)
"""CIELab (60, 50, 30) and (60, -50, 30) in sRGB (D65)."""


def instance_of(study: Shown, block: Block) -> int:
    """Instance Number of the image that a block lies in; images are listed in order of position."""
    return int(study.images[block.slice].InstanceNumber)


def test_the_study_list_shows_patient_accession_and_the_kinds_of_result(
    reading: Desk, studies: dict[str, Shown]
) -> None:
    listed = StudyList(reading).row("Phantom, Axial")
    reading.picture("study list")

    assert "V-AXIAL" in listed
    assert "SEG" in listed
    assert "SR" in listed


@pytest.mark.parametrize("name", STACKS)
def test_a_report_jumps_to_the_slice_and_outlines_the_block_that_is_there(
    reading: Desk, studies: dict[str, Shown], name: str
) -> None:
    study = studies[name]
    page = StudyPage(reading, study.subject.study_uid)
    page.show("SR")
    for block, words in ((FRONT, "Volume: 0.64 ml"), (BACK, "Volume: 0.45 ml")):
        until(lambda words=words: words in page.viewport.labels(), f"{words} on the screen")
        seen = bright_box(page.viewport.picture())
        reading.picture(f"sr {name} slice {block.slice}")

        assert page.viewport.instance() == instance_of(study, block)
        (outline,) = page.viewport.outlines()
        assert outline.off(seen) < HALF_A_VOXEL * voxel_px(seen, block)
        page.viewport.next_finding()


@pytest.mark.parametrize("name", STACKS)
def test_a_segmentation_is_named_and_coloured_and_covers_the_block_that_is_there(
    reading: Desk, studies: dict[str, Shown], name: str
) -> None:
    study = studies[name]
    page = StudyPage(reading, study.subject.study_uid)
    page.show("SEG")
    rows = page.panel("panelSegmentation")
    rows.first.wait_for()

    assert [" ".join(text.split()) for text in rows.all_inner_texts()] == [
        "1 Anterior hippocampus",
        "2 Posterior hippocampus",
    ]
    for number, (block, colour) in enumerate(((FRONT, RED), (BACK, GREEN))):
        page.choose(rows.nth(number))
        until(lambda block=block: page.viewport.instance() == instance_of(study, block), "the segment's slice")
        picture = page.viewport.picture()
        reading.picture(f"seg {name} slice {block.slice}")
        seen = bright_box(picture)

        assert coloured_box(picture).off(seen) < HALF_A_VOXEL * voxel_px(seen, block)
        assert max(abs(a - b) for a, b in zip(colour_of(picture), colour, strict=True)) < 10


def test_a_classification_is_readable(reading: Desk, studies: dict[str, Shown]) -> None:
    page = StudyPage(reading, studies["radiograph"].subject.study_uid)
    page.show("SR")
    until(lambda: "Qualitative Evaluations" in page.words(), "the report")
    reading.picture("sr classification")

    said = page.words()
    assert "AI result, not verified by a physician." in said
    assert "Pneumonia: suspected, probability 83 ± 5 %, at or above the decision threshold of 40 %." in said
    assert "not for clinical use" in said
    assert reading.faults == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("healthy", "Nothing found. Looked for and not found: Anterior hippocampus, Posterior hippocampus."),
        ("refused", "A slice is missing: no image between 28.00 and 36.00 mm along the stack"),
    ],
)
def test_a_report_without_findings_is_readable_and_says_why(
    reading: Desk, studies: dict[str, Shown], name: str, sentence: str
) -> None:
    page = StudyPage(reading, studies[name].subject.study_uid)
    page.show("SR")
    until(lambda: "Qualitative Evaluations" in page.words(), "the report")
    reading.picture(f"sr {name}")

    assert "1. AI result, not verified" in page.words()
    assert sentence in page.words()
    assert reading.faults == []
