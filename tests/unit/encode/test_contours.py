"""An outline lies where the mask's edge is, in the coordinates that viewers use."""

import numpy as np
import pytest

from dicomnode.encode.contours import enclosed, largest_contour, outline
from dicomnode.values import Volume


def volume_of(shape: tuple[int, int, int]) -> Volume:
    return Volume(np.zeros(shape, np.float32), np.diag([2.0, 3.0, 1.0, 1.0]), (), "1.2", "1.3", has_geometry=True)


def test_the_outline_of_one_pixel_goes_around_its_centre_at_index_plus_half() -> None:
    part = np.zeros((5, 7), bool)
    part[2, 4] = True

    points = outline(part)

    assert points[0].tolist() == points[-1].tolist()
    assert points[:-1].mean(axis=0).tolist() == [4.5, 2.5]
    assert {tuple(point) for point in points.tolist()} == {(4.0, 2.5), (4.5, 2.0), (5.0, 2.5), (4.5, 3.0)}


def test_a_box_is_outlined_at_its_pixels_outer_edges() -> None:
    part = np.zeros((8, 8), bool)
    part[1:4, 2:7] = True  # rows 1-3, columns 2-6

    points = outline(part)

    assert (points[:, 0].min(), points[:, 0].max()) == (2.0, 7.0)
    assert (points[:, 1].min(), points[:, 1].max()) == (1.0, 4.0)
    assert enclosed(points) == 15 - 4 * 0.125  # each corner is cut by an eighth of a pixel


def test_the_slice_of_largest_area_and_its_largest_part_are_outlined() -> None:
    mask = np.zeros((4, 9, 9), bool)
    mask[1, 1:3, 1:3] = True
    mask[2, 1:4, 1:4] = True
    mask[2, 6, 6] = True

    contour = largest_contour(mask, volume_of((4, 9, 9)))

    assert (contour.slice, contour.parts) == (2, 2)
    assert contour.area_mm2 == 9 * 2.0 * 3.0
    assert contour.points.max() == 4.0


def test_a_hole_is_not_mistaken_for_the_outline() -> None:
    part = np.ones((9, 9), bool)
    part[2:7, 2:7] = False

    assert enclosed(outline(part)) == pytest.approx(81 - 0.5)


def test_a_part_at_the_images_border_is_closed() -> None:
    points = outline(np.ones((3, 3), bool))

    assert (points.min(), points.max()) == (0.0, 3.0)
