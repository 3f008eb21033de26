"""The Secondary Capture: what is drawn, where, and what never is."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomnode.encode.context import Context
from dicomnode.encode.pictures.arrangement import Area, arranged_in
from dicomnode.encode.pictures.colours import on_black
from dicomnode.encode.pictures.orientation import Edges, Scale
from dicomnode.encode.pictures.panel import bar_mm, dashed, panel
from dicomnode.encode.pictures.view import Outline, View
from dicomnode.encode.source import Sources
from dicomnode.values import Role
from tests.phantom import Subject, mr_series, study_of
from tests.phantoms.answers import COULD_NOT, given
from tests.unit.encode.examples import MADE_AT, SEGMENTS, node_of, run_of

WHOM = Subject(patient_id="7-7-7", patient_name="Other^Somebody", birth_date="19340506", sex="F", accession="XX-9")
SAID = ("segmentation", "nothing found", COULD_NOT)


def capture(answer: str, folder: Path, **changes: object) -> NDArray[np.uint8]:
    """The pixels of one answer's picture."""
    made = given("axial CT", answer, folder, objects=(Role.SC,), **changes).made  # type: ignore[arg-type]
    return np.asarray(made[0].dataset.pixel_array)


def context_of(folder: Path) -> Context:
    return Context(run_of(study_of(mr_series()), SEGMENTS), SEGMENTS, node_of(folder), MADE_AT, Sources((), ""), ())


def view(**changes: object) -> View:
    """100 × 200 grey pixels of 0.5 × 1 mm."""
    values: dict[str, object] = {
        "slice": 0,
        "pixels": np.full((100, 200), 60, np.uint8),
        "window": "",
        "scale": Scale(0.5, 1.0, known=True),
        "edges": None,
    }
    return View(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", SAID)
def test_the_picture_does_not_depend_on_whose_it_is(tmp_path: Path, answer: str) -> None:
    mine, theirs = (capture(answer, tmp_path / whom.patient_id, subject=whom) for whom in (Subject(), WHOM))

    assert np.array_equal(mine, theirs)


def test_the_same_answer_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (given("axial CT", "segmentation", tmp_path / n, objects=(Role.SC,)).made for n in "12")

    assert first[0].content == second[0].content


def test_a_picture_of_words_alone_is_short(tmp_path: Path) -> None:
    assert capture(COULD_NOT, tmp_path).shape == (720, 1600, 3)


def test_a_view_is_shown_in_its_true_proportions(tmp_path: Path) -> None:
    shown = panel(context_of(tmp_path), view(), (800, 800))

    assert shown.size == (800, 200)


def test_an_outline_lies_where_its_points_lie(tmp_path: Path) -> None:
    square = np.array([[50, 20], [150, 20], [150, 80], [50, 80], [50, 20]], float)
    outlined = view(outlines=(Outline(1, (255, 0, 255), (square,)),), scale=Scale(0.5, 1.0, known=False))
    pixels = np.asarray(panel(context_of(tmp_path), outlined, (800, 800)))

    assert tuple(pixels[100, 200]) == (255, 0, 255)  # left edge: column 50 of 200, row 50 of 100
    assert tuple(pixels[160, 400]) == (255, 0, 255)  # lower edge
    assert tuple(pixels[100, 400]) == (60, 60, 60)


def test_the_scale_bar_is_as_long_as_it_says(tmp_path: Path) -> None:
    scale = Scale(0.5, 1.0, known=True)
    pixels = np.asarray(panel(context_of(tmp_path), view(scale=scale), (800, 800)))
    row = pixels[200 - 16 - 1]

    assert bar_mm(scale, 200) == 50
    assert abs(int((row.min(axis=1) > 200).sum()) - 200) <= 2  # 50 mm of 200 mm, on 800 pixels


def test_no_scale_bar_where_the_size_of_a_pixel_is_not_known(tmp_path: Path) -> None:
    pixels = np.asarray(panel(context_of(tmp_path), view(scale=Scale(1.0, 1.0, known=False)), (800, 800)))

    assert int(pixels.max()) == 60


def test_sides_are_written_only_where_they_are_known(tmp_path: Path) -> None:
    unknown = Scale(0.5, 1.0, known=False)
    without = np.asarray(panel(context_of(tmp_path), view(scale=unknown), (800, 800)))
    marked = np.asarray(panel(context_of(tmp_path), view(scale=unknown, edges=Edges("R", "L", "A", "P")), (800, 800)))

    assert int(without.max()) == 60
    assert all(int(part.max()) == 242 for part in (marked[:, :60], marked[:, -60:], marked[:60], marked[-60:]))


def test_two_findings_differ_in_more_than_colour() -> None:
    line = np.array([[0.0, 0.0], [400.0, 0.0]])

    assert [len(dashed(line, dashes)) for dashes in ((), (14.0, 7.0))] == [1, 20]


def test_a_colour_too_dark_for_black_is_lifted() -> None:
    assert sum(on_black((5.0, 10.0, 10.0))) > 3 * 100
    assert on_black((100.0, 0.0, 0.0)) == (255, 255, 255)


def test_views_stand_as_large_as_there_is_room() -> None:
    wide = view(pixels=np.zeros((100, 400), np.uint8), scale=Scale(1.0, 1.0, known=True))

    first, second = arranged_in(Area(0, 0, 1000, 900), (wide, wide))

    assert (first.x, second.x) == (0, 0)
    assert first.y < second.y
