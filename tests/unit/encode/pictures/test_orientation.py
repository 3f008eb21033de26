from pathlib import Path

import numpy as np
import pytest

from dicomnode.encode.pictures.orientation import Edges, edges_of, letters, scale_of
from dicomnode.volume.build import build_volume
from tests.phantom import AXIAL, CORONAL, OBLIQUE, SAGITTAL, dx_image, mr_series, series_of, write
from tests.unit.encode.examples import FINDINGS, SEGMENTS


@pytest.mark.parametrize(
    ("orientation", "edges"),
    [
        (AXIAL, Edges("R", "L", "A", "P")),
        (SAGITTAL, Edges("A", "P", "H", "F")),
        (CORONAL, Edges("R", "L", "H", "F")),
        (OBLIQUE, Edges("RA", "LP", "FA", "HP")),
        ((-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), Edges("L", "R", "P", "A")),
    ],
)
def test_each_edge_is_named_after_where_the_patient_lies(
    tmp_path: Path, orientation: tuple[float, ...], edges: Edges
) -> None:
    volume = build_volume(series_of(write(mr_series(orientation=orientation), tmp_path)), SEGMENTS.series)

    assert edges_of(volume, SEGMENTS) == edges


def test_no_side_is_named_where_the_model_says_that_orientation_is_not_verified(tmp_path: Path) -> None:
    volume = build_volume(series_of(write(mr_series(), tmp_path)), SEGMENTS.series)
    rules = SEGMENTS.model_copy(update={"series": SEGMENTS.series.model_copy(update={"orientation_verified": False})})

    assert edges_of(volume, rules) is None


def test_a_projection_has_no_sides_and_a_scale_at_the_detector(tmp_path: Path) -> None:
    image = dx_image()
    volume = build_volume(series_of(write([image], tmp_path)), FINDINGS.series)
    scale = scale_of(volume, image)

    assert edges_of(volume, FINDINGS) is None
    assert (scale.row_mm, scale.column_mm, scale.known, scale.at_detector) == (0.2, 0.3, True, True)


def test_an_image_without_pixel_spacing_has_no_scale(tmp_path: Path) -> None:
    image = dx_image()
    del image.PixelSpacing, image.ImagerPixelSpacing
    volume = build_volume(series_of(write([image], tmp_path)), FINDINGS.series)

    assert not scale_of(volume, image).known


def test_a_direction_has_at_most_two_letters_the_nearer_axis_first() -> None:
    assert letters(np.array([0.6, 0.6, -0.53])) == "LP"
    assert letters(np.array([-0.1, 0.2, 0.97])) == "H"
