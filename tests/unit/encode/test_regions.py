"""Volumes and extents are those of the mask."""

import numpy as np
import pytest

from dicomnode.encode.regions import extent_mm, regions_of
from dicomnode.encode.tracking import Structure, Tracking
from dicomnode.errors import ModelFault
from dicomnode.values import Volume
from tests.phantom import uid
from tests.unit.encode.examples import BACK, FRONT, two_boxes

STRUCTURES = tuple(Structure(segment, Tracking(segment.label, uid(segment.label))) for segment in (FRONT, BACK))


def volume_of(spacing_mm: tuple[float, float, float] = (2.0, 0.5, 1.0)) -> Volume:
    """A grid of 5 × 6 × 8 voxels with these spacings along (slice, row, column) index."""
    affine = np.diag([spacing_mm[2], spacing_mm[1], spacing_mm[0], 1.0])
    return Volume(np.zeros((5, 6, 8), np.float32), affine, (), "1.2", "1.3", has_geometry=True)


def test_a_volume_is_voxels_times_their_size() -> None:
    regions = regions_of(two_boxes((5, 6, 8)), volume_of(), STRUCTURES)

    # 12 voxels and 9 voxels of 2 × 0.5 × 1 = 1 mm³
    assert [(r.voxels, r.volume_ml) for r in regions.found] == [(12, pytest.approx(0.012)), (9, pytest.approx(0.009))]


def test_an_extent_is_from_corner_to_farthest_corner() -> None:
    # 2 slices × 3 rows × 2 columns: 4 mm, 1.5 mm, 2 mm
    mask = two_boxes((5, 6, 8)) == 1

    assert extent_mm(mask, volume_of()) == pytest.approx((4**2 + 1.5**2 + 2**2) ** 0.5)


def test_one_voxel_is_as_large_as_its_diagonal() -> None:
    mask = np.zeros((5, 6, 8), bool)
    mask[2, 2, 2] = True

    assert extent_mm(mask, volume_of((1.0, 1.0, 1.0))) == pytest.approx(3**0.5)


def test_a_segment_without_voxels_is_absent_and_the_others_count_from_one() -> None:
    labels = two_boxes((5, 6, 8))
    labels[labels == 1] = 0

    regions = regions_of(labels, volume_of(), STRUCTURES)

    assert [(r.number, r.structure.segment.label) for r in regions.found] == [(1, "Posterior hippocampus")]
    assert [s.segment.label for s in regions.absent] == ["Anterior hippocampus"]


def test_less_than_the_smallest_volume_is_absent() -> None:
    front = FRONT.model_copy(update={"min_volume_ml": 0.0121})
    structures = (Structure(front, STRUCTURES[0].tracking), STRUCTURES[1])

    regions = regions_of(two_boxes((5, 6, 8)), volume_of(), structures)

    assert [s.segment.index for s in regions.absent] == [1]


def test_a_label_that_nobody_described_is_refused() -> None:
    labels = two_boxes((5, 6, 8))
    labels[0, 0, 0] = 7

    with pytest.raises(ModelFault, match=r"labels \[7\]"):
        regions_of(labels, volume_of(), STRUCTURES)


def test_a_map_on_another_grid_is_refused() -> None:
    with pytest.raises(ModelFault, match="the label map is"):
        regions_of(two_boxes((5, 6, 9)), volume_of(), STRUCTURES)
