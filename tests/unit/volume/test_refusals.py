"""What cannot be a volume is refused by name, with the facts."""

from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.pixels.utils import compress
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from dicomnode.bundles.dicom_toml import Geometry, SeriesRules
from dicomnode.errors import Permanent, SeriesRefused
from dicomnode.values import Volume
from dicomnode.volume import refusals
from dicomnode.volume.build import build_volume
from dicomnode.volume.decoder import Decoder
from dicomnode.volume.pixels import stored_frames
from dicomnode.volume.read import opened, require_bounded_inflation
from dicomnode.volume.refusals import (
    AbsurdBits,
    DuplicatePosition,
    EmptyImage,
    FrameCountMismatch,
    MissingGeometry,
    MissingSlice,
    MixedFramesOfReference,
    MixedMatrix,
    MixedOrientation,
    NoPixels,
    SeveralImages,
    TiltedStack,
    TooLarge,
    UndecodablePixels,
    UnevenSpacing,
    UnreadableInstance,
    UnusableRescale,
)
from tests.phantom import SAGITTAL, ct_series, dx_image, enhanced, mr_series, series_of, uid, write

STACK = SeriesRules(modalities=("CT",))
IMAGE = SeriesRules(modalities=("DX",), dimensions=2)


def built(images: list[Dataset], folder: Path, rules: SeriesRules = STACK) -> Volume:
    return build_volume(series_of(write(images, folder)), rules)


def test_a_gap_is_refused_and_named(tmp_path: Path) -> None:
    images = ct_series(slices=5, spacing_mm=2.0)
    del images[2]

    with pytest.raises(MissingSlice) as caught:
        built(images, tmp_path)

    assert (caught.value.after_mm, caught.value.before_mm) == (2.0, 6.0)


def test_a_gap_of_one_and_a_half_medians_lacks_a_slice_and_less_is_uneven(tmp_path: Path) -> None:
    for shift_mm, refusal in ((1.0, MissingSlice), (0.98, UnevenSpacing)):
        images = ct_series(slices=6, spacing_mm=2.0)
        for image in images[3:]:
            image.ImagePositionPatient = ["0", "0", str(float(image.ImagePositionPatient[2]) + shift_mm)]

        with pytest.raises(refusal):
            built(images, tmp_path / str(shift_mm))


def test_uneven_gaps_say_how_uneven(tmp_path: Path) -> None:
    images = ct_series(slices=5, spacing_mm=1.0)
    images[4].ImagePositionPatient = ["0", "0", "4.2"]

    with pytest.raises(UnevenSpacing) as caught:
        built(images, tmp_path)

    assert caught.value.largest_mm == pytest.approx(1.2)
    assert caught.value.allowed_mm == pytest.approx(0.1)  # more than 5 % of 1 mm


def test_of_thick_slices_five_percent_is_tolerated(tmp_path: Path) -> None:
    images = ct_series(slices=5, spacing_mm=10.0)
    images[4].ImagePositionPatient = ["0", "0", "40.5"]

    assert built(images, tmp_path / "taken").voxels.shape[0] == 5

    images[4].ImagePositionPatient = ["0", "0", "40.6"]
    with pytest.raises(UnevenSpacing):
        built(images, tmp_path / "refused")


def test_two_images_at_one_position_are_refused(tmp_path: Path) -> None:
    images = ct_series(slices=5, spacing_mm=2.0)
    images[3].ImagePositionPatient = images[2].ImagePositionPatient

    with pytest.raises(DuplicatePosition) as caught:
        built(images, tmp_path)

    assert (caught.value.at_mm, caught.value.images) == (4.0, 2)


def test_a_tilted_stack_is_refused_with_its_angle(tmp_path: Path) -> None:
    images = ct_series(slices=3, spacing_mm=1.0)
    for k, image in enumerate(images):
        image.ImagePositionPatient = ["0", str(k), str(k)]

    with pytest.raises(TiltedStack) as caught:
        built(images, tmp_path)

    assert caught.value.tilt_deg == pytest.approx(45.0)
    assert caught.value.limit_deg == 1.0


def test_images_at_an_angle_to_each_other_are_refused(tmp_path: Path) -> None:
    images = ct_series(slices=3)
    images[1].ImageOrientationPatient = list(SAGITTAL)

    with pytest.raises(MixedOrientation) as caught:
        built(images, tmp_path)

    assert caught.value.angle_deg == pytest.approx(90.0)


def test_a_frame_of_a_multi_frame_at_an_angle_is_refused(tmp_path: Path) -> None:
    image = enhanced(ct_series(slices=3))
    plane = Dataset()
    plane.ImageOrientationPatient = list(SAGITTAL)
    image.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = Sequence([plane])

    with pytest.raises(MixedOrientation):
        built([image], tmp_path)


def test_two_frames_of_reference_are_refused(tmp_path: Path) -> None:
    images = ct_series()
    images[0].FrameOfReferenceUID = uid("elsewhere")

    with pytest.raises(MixedFramesOfReference) as caught:
        built(images, tmp_path)

    assert caught.value.count == 2


def test_two_matrices_are_refused(tmp_path: Path) -> None:
    images = ct_series(slices=2, spacing_mm=1.0)
    other = ct_series(slices=3, spacing_mm=1.0, rows=5)[2:]

    with pytest.raises(MixedMatrix):
        built([*images, *other], tmp_path)


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"]
)
@pytest.mark.parametrize("state", ["absent", "empty"])
def test_missing_geometry_is_named(tmp_path: Path, keyword: str, state: str) -> None:
    images = ct_series(slices=2)
    for image in images:
        delattr(image, keyword) if state == "absent" else setattr(image, keyword, None)

    with pytest.raises(MissingGeometry) as caught:
        built(images, tmp_path)

    assert caught.value.keyword == keyword


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImageOrientationPatient", ["1", "0", "0", "1", "0", "0"]),
        ("ImageOrientationPatient", ["0", "0", "0", "0", "0", "0"]),
        ("PixelSpacing", ["0", "1"]),
        ("ImagePositionPatient", ["1", "2"]),
    ],
)
def test_geometry_that_cannot_be_is_missing_geometry(tmp_path: Path, keyword: str, value: list[str]) -> None:
    images = ct_series(slices=1)
    setattr(images[0], keyword, value)

    with pytest.raises(MissingGeometry):
        built(images, tmp_path)


def test_a_cine_without_positions_is_no_stack(tmp_path: Path) -> None:
    image = enhanced(ct_series(slices=3))
    del image.PerFrameFunctionalGroupsSequence
    del image.SharedFunctionalGroupsSequence

    with pytest.raises(MissingGeometry):
        built([image], tmp_path)


@pytest.mark.parametrize(("rows", "columns"), [(0, 8), (6, 0)])
def test_an_image_without_rows_or_columns_is_refused(tmp_path: Path, rows: int, columns: int) -> None:
    images = ct_series(slices=1)
    images[0].Rows, images[0].Columns = rows, columns

    with pytest.raises(EmptyImage) as caught:
        built(images, tmp_path)

    assert (caught.value.rows, caught.value.columns) == (rows, columns)


@pytest.mark.parametrize(("allocated", "stored"), [(16, 17), (16, 0), (12, 12), (0, 0), (65535, 16), (8, 65535)])
def test_bits_that_cannot_describe_a_pixel_are_refused(tmp_path: Path, allocated: int, stored: int) -> None:
    images = ct_series(slices=1)
    images[0].BitsAllocated, images[0].BitsStored = allocated, stored
    images[0]["PixelData"].VR = "OW"

    with pytest.raises(AbsurdBits) as caught:
        built(images, tmp_path)

    assert (caught.value.allocated, caught.value.stored) == (allocated, stored)


@pytest.mark.parametrize("claimed", [4, 6, 1000000])
def test_a_wrong_number_of_frames_is_refused_before_decoding(tmp_path: Path, claimed: int) -> None:
    image = enhanced(ct_series(slices=5))
    image.NumberOfFrames = claimed

    with pytest.raises(FrameCountMismatch) as caught:
        built([image], tmp_path)

    assert (caught.value.claimed, caught.value.found) == (claimed, 5)


def test_functional_groups_of_another_number_than_frames_are_refused(tmp_path: Path) -> None:
    image = enhanced(ct_series(slices=5))
    del image.PerFrameFunctionalGroupsSequence[4]

    with pytest.raises(FrameCountMismatch):
        built([image], tmp_path)


@pytest.mark.parametrize("claimed", [4, 6])
def test_a_wrong_number_of_compressed_frames_is_refused(tmp_path: Path, claimed: int) -> None:
    image = enhanced(ct_series(slices=5))
    compress(image, RLELossless, generate_instance_uid=False)
    image.NumberOfFrames = claimed
    source = opened(series_of(write([image], tmp_path)).instances[0])

    with Decoder() as decoder, pytest.raises(FrameCountMismatch) as caught:
        list(stored_frames(source, decoder))

    assert (caught.value.claimed, caught.value.found) == (claimed, 5)


def test_an_image_that_claims_more_than_its_data_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    images = ct_series(slices=1)
    images[0].Rows = images[0].Columns = 65535

    with pytest.raises(UndecodablePixels, match="96 bytes of pixels where 8589672450 are due"):  # 65535² × 2
        built(images, tmp_path)


def test_a_compressed_image_that_claims_beyond_belief_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    images = ct_series(slices=1)
    compress(images[0], RLELossless, generate_instance_uid=False)
    images[0].Rows = images[0].Columns = 65535

    with pytest.raises(TooLarge) as caught:
        built(images, tmp_path)

    assert caught.value.claimed == 65535 * 65535 * 2


def test_a_deflated_data_set_that_never_ends_is_refused(tmp_path: Path) -> None:
    image = ct_series(slices=1)[0]
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.EncapsulatedDocument = bytes(2_000_000)
    (path,) = write([image], tmp_path)
    assert path.stat().st_size < 20_000

    with pytest.raises(TooLarge):
        require_bounded_inflation(path, limit_bytes=1_000_000)


def test_a_deflated_data_set_of_sane_size_is_read(tmp_path: Path) -> None:
    images = ct_series(slices=2)
    for image in images:
        image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian

    assert built(images, tmp_path).voxels[1, 2, 3] == 1023.0


def test_pixels_that_no_decoder_understands_are_refused_with_the_transfer_syntax(tmp_path: Path) -> None:
    images = ct_series(slices=1)
    compress(images[0], RLELossless, generate_instance_uid=False)
    images[0].file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    with pytest.raises(UndecodablePixels) as caught:
        built(images, tmp_path)

    assert caught.value.transfer_syntax == "JPEG Baseline (Process 1)"


def test_a_file_that_ends_within_its_pixels_is_refused(tmp_path: Path) -> None:
    series = series_of(write(ct_series(slices=1, rows=64, columns=9), tmp_path))
    path = series.instances[0].path
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(UndecodablePixels, match="1052 bytes of pixels where 1152 are due"):  # 64 × 9 × 2
        build_volume(series, STACK)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    series = series_of(write(ct_series(slices=1), tmp_path))
    series.instances[0].path.unlink()

    with pytest.raises(UnreadableInstance):
        build_volume(series, STACK)


def test_an_object_without_pixels_is_refused(tmp_path: Path) -> None:
    images = ct_series(slices=1)
    del images[0].PixelData

    with pytest.raises(NoPixels):
        built(images, tmp_path)


def test_a_slope_of_zero_is_refused(tmp_path: Path) -> None:
    images = ct_series(slices=1)
    images[0].RescaleSlope = 0

    with pytest.raises(UnusableRescale):
        built(images, tmp_path)


def test_a_model_of_one_image_is_not_given_two(tmp_path: Path) -> None:
    images = [dx_image(name="chest"), dx_image(name="chest")]
    images[1].SOPInstanceUID = images[1].file_meta.MediaStorageSOPInstanceUID = uid("second")

    with pytest.raises(SeveralImages):
        built(images, tmp_path, IMAGE)


def test_a_tilt_within_the_models_limit_is_no_refusal(tmp_path: Path) -> None:
    images = mr_series(slices=3, spacing_mm=10.0)
    images[2].ImagePositionPatient = ["0", "2", "20"]
    images[1].ImagePositionPatient = ["0", "1", "10"]
    rules = SeriesRules(modalities=("MR",), geometry=Geometry(max_tilt_deg=6.0))

    assert built(images, tmp_path, rules).voxels.shape[0] == 3  # atan(1/10) = 5.7 degrees


def test_every_refusal_parks_the_run() -> None:
    named = [getattr(refusals, name) for name in refusals.__all__]

    assert len(named) == 17
    assert all(issubclass(refusal, SeriesRefused) and issubclass(refusal, Permanent) for refusal in named)
