"""A volume is what the geometry says, whatever the order in which images came."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Geometry, SeriesRules
from dicomnode.values import Volume
from dicomnode.volume.build import build_volume
from tests.phantom import (
    AXIAL,
    OBLIQUE,
    SAGITTAL,
    ct_series,
    enhanced,
    mr_series,
    numbers,
    pt_series,
    series_of,
    uid,
    write,
)

RULES = SeriesRules(modalities=("CT", "MR", "PT"))


def built(images: list[Dataset], folder: Path, rules: SeriesRules = RULES) -> Volume:
    return build_volume(series_of(write(images, folder)), rules)


def test_voxels_are_indexed_slice_row_column_and_hold_real_world_values(tmp_path: Path) -> None:
    volume = built(ct_series(slices=3, rows=4, columns=5), tmp_path)

    assert volume.voxels.shape == (3, 4, 5)
    assert volume.voxels.dtype == np.float32
    assert volume.voxels[2, 3, 4] == 2034.0
    assert np.array_equal(volume.voxels, numbers(3, 4, 5))


def test_the_order_in_which_images_came_does_not_matter(tmp_path: Path) -> None:
    images = ct_series(slices=5)

    volume = built([images[n] for n in (3, 0, 4, 2, 1)], tmp_path)

    assert np.array_equal(volume.voxels, numbers(5, 6, 8))
    assert [frame.sop_instance_uid for frame in volume.frames] == [image.SOPInstanceUID for image in images]


def test_instance_numbers_that_run_against_the_normal_do_not_matter(tmp_path: Path) -> None:
    images = ct_series(slices=4)
    for number, image in enumerate(reversed(images), 1):
        image.InstanceNumber = number

    assert np.array_equal(built(images, tmp_path).voxels, numbers(4, 6, 8))


def test_the_affine_leads_from_column_row_slice_to_lps_mm(tmp_path: Path) -> None:
    volume = built(ct_series(spacing_mm=2.5, pixel_mm=(0.5, 0.75), origin=(-10.0, 20.0, 30.0)), tmp_path)

    at = volume.affine_lps @ [4, 3, 2, 1]

    # column 4 × 0.75 to the left, row 3 × 0.5 to the back, slice 2 × 2.5 to the head
    assert np.allclose(at, [-10 + 3.0, 20 + 1.5, 30 + 5.0, 1])


def test_a_sagittal_stack_runs_along_its_normal(tmp_path: Path) -> None:
    volume = built(mr_series(orientation=SAGITTAL, spacing_mm=1.5, pixel_mm=(2.0, 1.0)), tmp_path)

    # columns to the back (+y), rows to the feet (-z), so slices run along (0,1,0) × (0,0,-1) = (-1,0,0)
    assert np.allclose(volume.affine_lps[:3, :3], [[0, 0, -1.5], [1, 0, 0], [0, -2, 0]])


def test_an_oblique_stack_keeps_its_directions(tmp_path: Path) -> None:
    volume = built(mr_series(orientation=OBLIQUE, spacing_mm=2.0), tmp_path)

    # (0.8, 0.6, 0) × (-0.36, 0.48, 0.8) = (0.48, -0.64, 0.6)
    assert np.allclose(volume.affine_lps[:3, 2], [0.96, -1.28, 1.2])
    assert np.array_equal(volume.voxels, numbers(5, 6, 8))


def test_an_enhanced_multi_frame_gives_the_volume_of_its_single_frames(tmp_path: Path) -> None:
    singles = ct_series(orientation=OBLIQUE, spacing_mm=2.0, origin=(1.0, 2.0, 3.0))
    one = built(singles, tmp_path / "single")

    many = built([enhanced(singles)], tmp_path / "multi")

    assert np.array_equal(many.voxels, one.voxels)
    assert np.allclose(many.affine_lps, one.affine_lps)


def test_frames_stored_backwards_are_ordered_by_position_and_keep_their_numbers(tmp_path: Path) -> None:
    volume = built([enhanced(mr_series(slices=4), reverse_frames=True)], tmp_path)

    assert np.array_equal(volume.voxels, numbers(4, 6, 8))
    assert [frame.frame_number for frame in volume.frames] == [4, 3, 2, 1]


def test_a_single_frame_image_has_no_frame_number(tmp_path: Path) -> None:
    assert {frame.frame_number for frame in built(mr_series(), tmp_path).frames} == {None}


def test_each_pet_slice_has_its_own_slope(tmp_path: Path) -> None:
    # stored 1000 everywhere, slope 2 (k + 1)
    assert built(pt_series(slices=3), tmp_path / "single").voxels[:, 0, 0].tolist() == [2000, 4000, 6000]
    assert built([enhanced(pt_series(slices=3))], tmp_path / "multi").voxels[:, 0, 0].tolist() == [2000, 4000, 6000]


def test_two_enhanced_images_of_one_series_are_stacked_together(tmp_path: Path) -> None:
    images = mr_series(slices=6)
    lower, upper = enhanced(images[:3], name="stack"), enhanced(images[3:], name="stack")
    upper.SOPInstanceUID = upper.file_meta.MediaStorageSOPInstanceUID = uid("second half")

    assert np.array_equal(built([upper, lower], tmp_path).voxels, numbers(6, 6, 8))


def test_one_slice_alone_is_as_thick_as_it_says(tmp_path: Path) -> None:
    volume = built(mr_series(slices=1, spacing_mm=4.0, orientation=AXIAL), tmp_path)

    assert volume.affine_lps[:3, 2].tolist() == [0, 0, 4]


def test_a_tilt_that_the_model_tolerates_leans_the_affine(tmp_path: Path) -> None:
    images = ct_series(slices=3, spacing_mm=2.0)
    for k, image in enumerate(images):
        image.ImagePositionPatient = ["0", str(0.2 * k), str(2.0 * k)]
    rules = SeriesRules(modalities=("CT",), geometry=Geometry(max_tilt_deg=10.0))

    volume = built(images, tmp_path, rules)

    assert np.allclose(volume.affine_lps[:3, 2], [0, 0.2, 2.0])


@pytest.mark.parametrize("unevenness_mm", [0.09, -0.09])
def test_gaps_that_differ_within_the_limit_are_taken(tmp_path: Path, unevenness_mm: float) -> None:
    images = ct_series(slices=3, spacing_mm=1.0)
    images[1].ImagePositionPatient = ["0", "0", str(1.0 + unevenness_mm / 2)]

    assert built(images, tmp_path).voxels.shape[0] == 3
