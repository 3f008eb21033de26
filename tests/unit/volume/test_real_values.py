"""Stored values become real-world values as PS3.3 says."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.values import Volume
from dicomnode.volume.build import build_volume
from dicomnode.volume.refusals import UnusableRescale
from tests.phantom import cr_image, ct_series, dx_image, enhanced, mr_series, numbers, series_of, us_image, write

IMAGE = SeriesRules(modalities=("DX",), dimensions=2)
STACK = SeriesRules(modalities=("CT",))


def built(images: list[Dataset], folder: Path, rules: SeriesRules = IMAGE) -> Volume:
    return build_volume(series_of(write(images, folder)), rules)


def stored(image: Dataset, values: NDArray[np.generic]) -> Dataset:
    image.PixelData = values.tobytes()
    image["PixelData"].VR = "OW"
    return image


def test_a_radiograph_is_one_slice_with_its_pixel_spacing_and_no_geometry(tmp_path: Path) -> None:
    volume = built([dx_image()], tmp_path)

    assert np.array_equal(volume.voxels, numbers(1, 6, 8))
    assert not volume.has_geometry
    assert volume.frame_of_reference_uid is None
    assert np.diag(volume.affine_lps).tolist() == [0.3, 0.2, 1, 1]  # between columns, between rows
    assert volume.notes == ()


def test_the_detector_spacing_stands_in_where_pixel_spacing_is_absent(tmp_path: Path) -> None:
    image = cr_image()
    del image.PixelSpacing
    image.ImagerPixelSpacing = ["0.14", "0.15"]

    assert np.diag(built([image], tmp_path).affine_lps).tolist() == [0.15, 0.14, 1, 1]


def test_without_any_spacing_a_pixel_counts_as_one(tmp_path: Path) -> None:
    assert np.diag(built([us_image()], tmp_path).affine_lps).tolist() == [1, 1, 1, 1]


def test_monochrome1_is_turned_over_the_range_of_bits_stored(tmp_path: Path) -> None:
    volume = built([dx_image(inverted=True)], tmp_path)  # stores 4095 - value in 12 bits

    assert np.array_equal(volume.voxels, numbers(1, 6, 8))
    assert volume.notes == ("MONOCHROME1 inverted",)


def test_monochrome1_of_signed_rescaled_pixels_is_turned_over_their_real_range(tmp_path: Path) -> None:
    image = stored(dx_image(rows=1, columns=2, inverted=True), np.array([-2048, 2047], "<i2"))
    image.PixelRepresentation, image.RescaleSlope, image.RescaleIntercept = 1, 2, 5

    # real range of 12 signed bits: 2 × -2048 + 5 = -4091 to 2 × 2047 + 5 = 4099
    assert built([image], tmp_path).voxels.ravel().tolist() == [4099, -4091]


def test_monochrome1_of_ct_changes_no_value(tmp_path: Path) -> None:
    images = ct_series(slices=2)
    for image in images:
        image.PhotometricInterpretation = "MONOCHROME1"

    assert np.array_equal(built(images, tmp_path, STACK).voxels, numbers(2, 6, 8))


def test_signed_pixels_keep_their_sign(tmp_path: Path) -> None:
    image = stored(mr_series(slices=1, rows=1, columns=3)[0], np.array([-32768, -1, 32767], "<i2"))
    image.PixelRepresentation = 1

    assert built([image], tmp_path, STACK).voxels.ravel().tolist() == [-32768, -1, 32767]


def test_bits_above_the_high_bit_are_no_part_of_the_value(tmp_path: Path) -> None:
    # 12 bits stored: an overlay in bit 12, and a signed -1 that was not extended
    unsigned = stored(dx_image(rows=1, columns=2, name="a"), np.array([0x1005, 0x0005], "<u2"))
    signed = stored(dx_image(rows=1, columns=2, name="b"), np.array([0x0FFF, 0x0001], "<u2"))
    signed.PixelRepresentation = 1

    assert built([unsigned], tmp_path).voxels.ravel().tolist() == [5, 5]
    assert built([signed], tmp_path).voxels.ravel().tolist() == [-1, 1]


def test_rescale_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = mr_series(slices=1)[0]
    image.RescaleSlope, image.RescaleIntercept = "0.5", "-10"

    assert built([image], tmp_path, STACK).voxels[0, 2, 3] == 0.5 * 23 - 10


def test_each_frame_of_a_multi_frame_may_have_its_own_rescale(tmp_path: Path) -> None:
    image = enhanced(mr_series(slices=2))
    for n, groups in enumerate(image.PerFrameFunctionalGroupsSequence):
        groups.PixelValueTransformationSequence[0].RescaleIntercept = 100 * n

    assert built([image], tmp_path, STACK).voxels[:, 0, 0].tolist() == [0, 1100]


def test_a_rescale_that_all_frames_share_is_found_in_the_shared_groups(tmp_path: Path) -> None:
    image = enhanced(mr_series(slices=2))
    shared = image.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence
    shared[0].RescaleSlope = 3
    image.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = shared
    for groups in image.PerFrameFunctionalGroupsSequence:
        del groups.PixelValueTransformationSequence

    assert built([image], tmp_path, STACK).voxels[1, 0, 1] == 3003


def test_a_modality_lut_takes_the_place_of_rescale(tmp_path: Path) -> None:
    image = stored(dx_image(rows=1, columns=4), np.array([0, 1, 2, 9], "<u2"))
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [3, 1, 16])  # three entries, the first for stored value 1
    item.add_new("LUTData", "US", [100, 200, 400])
    item.ModalityLUTType = "US"
    image.ModalityLUTSequence = Sequence([item])
    del image.RescaleSlope, image.RescaleIntercept

    # below the first entry: the first; beyond the last: the last
    assert built([image], tmp_path).voxels.ravel().tolist() == [100, 100, 200, 400]


def test_a_broken_modality_lut_is_refused(tmp_path: Path) -> None:
    image = dx_image()
    image.ModalityLUTSequence = Sequence([Dataset()])

    with pytest.raises(UnusableRescale):
        built([image], tmp_path)


def test_padding_becomes_the_smallest_real_value_and_is_noted(tmp_path: Path) -> None:
    images = ct_series(slices=2)
    voxels = numbers(2, 6, 8).astype(np.int16)
    voxels[0, 0, :4] = -2000
    for k, image in enumerate(images):
        stored(image, voxels[k].astype("<i2"))
        image.PixelRepresentation, image.RescaleIntercept = 1, -1024
        image.add_new("PixelPaddingValue", "SS", -2000)

    volume = built(images, tmp_path, STACK)

    # smallest that is no padding: stored 4 (k 0, j 0, i 4), less 1024
    assert volume.voxels[0, 0].tolist() == [-1020, -1020, -1020, -1020, -1020, -1019, -1018, -1017]
    assert volume.notes == ("pixel padding set to -1020",)


def test_padding_may_be_a_range(tmp_path: Path) -> None:
    image = stored(dx_image(rows=1, columns=5), np.array([0, 1, 2, 3, 4], "<u2"))
    image.add_new("PixelPaddingValue", "US", 3)
    image.add_new("PixelPaddingRangeLimit", "US", 4)

    assert built([image], tmp_path).voxels.ravel().tolist() == [0, 1, 2, 0, 0]


def test_padding_written_unsigned_for_signed_pixels_is_understood(tmp_path: Path) -> None:
    image = stored(mr_series(slices=1, rows=1, columns=3)[0], np.array([-2000, 7, 9], "<i2"))
    image.PixelRepresentation = 1
    image.add_new("PixelPaddingValue", "US", 63536)  # -2000 as 16 bits

    assert built([image], tmp_path, STACK).voxels.ravel().tolist() == [7, 7, 9]


def test_padding_of_an_inverted_radiograph_becomes_black(tmp_path: Path) -> None:
    image = stored(dx_image(rows=1, columns=3, inverted=True), np.array([0, 95, 4000], "<u2"))
    image.add_new("PixelPaddingValue", "US", 0)

    assert built([image], tmp_path).voxels.ravel().tolist() == [95, 4000, 95]  # 4095 - 95, 4095 - 4000


def test_an_image_of_padding_alone_is_zero(tmp_path: Path) -> None:
    image = stored(dx_image(rows=1, columns=2), np.array([7, 7], "<u2"))
    image.add_new("PixelPaddingValue", "US", 7)

    assert built([image], tmp_path).voxels.ravel().tolist() == [0, 0]


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    volume = built([us_image()], tmp_path)

    # red 10 j, green 10 i: 0.299 × 20 + 0.587 × 30 at (2, 3)
    assert volume.voxels[0, 2, 3] == pytest.approx(0.299 * 20 + 0.587 * 30)
    assert volume.notes == ("colour turned into luminance",)


def test_a_palette_is_looked_up_before_luminance(tmp_path: Path) -> None:
    image = stored(dx_image(rows=1, columns=2), np.array([0, 1], "<u2"))
    image.PhotometricInterpretation = "PALETTE COLOR"
    for colour, values in (("Red", [0, 200]), ("Green", [0, 100]), ("Blue", [10, 0])):
        image.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [2, 0, 16])
        image.add_new(f"{colour}PaletteColorLookupTableData", "OW", np.array(values, "<u2").tobytes())

    assert built([image], tmp_path).voxels.ravel().tolist() == pytest.approx([1.14, 118.5])  # 0.114 × 10; 59.8 + 58.7


def test_a_ct_slice_for_a_model_of_one_image_keeps_its_geometry(tmp_path: Path) -> None:
    volume = built(ct_series(slices=1, spacing_mm=3.0, pixel_mm=(0.5, 0.75)), tmp_path)

    assert volume.has_geometry
    assert np.diag(volume.affine_lps).tolist() == [0.75, 0.5, 3, 1]
