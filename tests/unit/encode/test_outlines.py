"""Whoever fills an outline by the centres of pixels gets the mask that it was drawn around."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from dicomnode.encode.outlines import Outline, outlines, with_keyholes, without_straight_points

RING = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 1, 0, 1, 0, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)
"""A ring, and one pixel in the middle of its hole."""


def of(labels: NDArray[np.uint8], label: int = 1) -> list[Outline]:
    return list(outlines(labels, label, dict(enumerate(find_objects(labels), 1)).get(label)))


def filled(points: NDArray[np.float64], shape: tuple[int, ...], *, by_winding: bool = False) -> NDArray[np.bool_]:
    """The pixels whose centres lie inside a closed line: crossed an odd number of times, or wound around."""
    rows, columns = np.indices(shape)
    x, y = columns + 0.5, rows + 0.5
    count = np.zeros(shape, int)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if y0 != y1:
            crossed = ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
            count += crossed * (np.sign(y1 - y0).astype(int) if by_winding else 1)
    return np.asarray(count != 0 if by_winding else count % 2 == 1)


def refilled(found: list[Outline], shape: tuple[int, ...], *, by_winding: bool = False) -> NDArray[np.bool_]:
    lines = [without_straight_points(with_keyholes(outline)) for outline in found]
    return np.any([filled(line, shape, by_winding=by_winding) for line in lines], axis=0)


@pytest.mark.parametrize("by_winding", [False, True], ids=["even-odd", "winding"])
@pytest.mark.parametrize("seed", range(8))
def test_any_mask_comes_back_from_its_outlines(seed: int, by_winding: bool) -> None:
    mask = np.random.default_rng(seed).random((1, 14, 17)) < 0.3 + 0.07 * seed

    found = of(mask.astype(np.uint8))

    assert np.array_equal(refilled(found, mask.shape[1:], by_winding=by_winding), mask[0])


def test_a_part_in_the_hole_of_a_ring_is_a_part_of_its_own() -> None:
    found = of(RING[None])

    assert [len(outline.holes) for outline in found] == [1, 0]
    assert np.array_equal(refilled(found, RING.shape), RING == 1)


def test_holes_are_cut_out_whichever_way_a_reader_fills() -> None:
    many = np.ones((1, 9, 21), np.uint8)
    many[0, 1:8:3, 1:20:3] = 0
    (found,) = of(many)

    assert len(found.holes) == 21
    for by_winding in (False, True):
        assert np.array_equal(refilled([found], (9, 21), by_winding=by_winding), many[0] == 1)


def test_each_slice_with_the_label_has_its_outlines_at_its_place() -> None:
    labels = np.zeros((4, 6, 8), np.uint8)
    labels[1:3, 2:4, 3:6], labels[3, 0, 0] = 7, 2

    found = of(labels, 7)

    assert [outline.slice for outline in found] == [1, 2]
    assert (found[0].outer.min(axis=0).tolist(), found[0].outer.max(axis=0).tolist()) == ([3, 2], [6, 4])
    assert of(labels, 9) == []


def test_points_on_a_straight_stretch_are_left_out() -> None:
    (found,) = of(np.ones((1, 4, 9), np.uint8))

    assert len(without_straight_points(found.outer)) == 9  # eight corners, for each is cut, and the first again
    assert found.outer[0].tolist() == found.outer[-1].tolist()


def test_a_mask_at_the_edge_is_outlined_within_the_image() -> None:
    (found,) = of(np.ones((1, 4, 9), np.uint8))

    assert found.outer.min() == 0
    assert found.outer.max(axis=0).tolist() == [9, 4]
