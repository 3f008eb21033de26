from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.encode.pictures.window import greys, windowed
from dicomnode.values import Volume
from dicomnode.volume.build import build_volume
from tests.phantom import ct_series, enhanced, series_of, write
from tests.unit.encode.examples import SEGMENTS


def volume_of(images: list[Dataset], folder: Path) -> Volume:
    return build_volume(series_of(write(images, folder)), SEGMENTS.series)


def test_the_first_window_of_the_image_is_used(tmp_path: Path) -> None:
    images = ct_series()
    for image in images:
        image.WindowCenter, image.WindowWidth = ["40", "-600"], ["101", "1500"]
    shown = greys(volume_of(images, tmp_path), 0, images[0])

    assert shown.words == "W 101  L 40"
    assert [int(shown.pixels[j, 0]) for j in (0, 4)] == [round(255 * 0.105), round(255 * 0.505)]


def test_a_window_that_leaves_nothing_between_black_and_white_is_not_for_this_image(tmp_path: Path) -> None:
    images = ct_series()
    for image in images:
        image.WindowCenter, image.WindowWidth = "9000", "10"
    shown = greys(volume_of(images, tmp_path), 0, images[0])

    assert shown.words == ""
    assert (shown.pixels.min(), shown.pixels.max()) == (0, 255)


def test_an_enhanced_image_has_its_window_in_its_frame(tmp_path: Path) -> None:
    image = enhanced(ct_series())
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = "30", "61"
    image.PerFrameFunctionalGroupsSequence[2].FrameVOILUTSequence = [voi]

    volume = volume_of([image], tmp_path)
    k = next(k for k, frame in enumerate(volume.frames) if frame.frame_number == 3)
    header = image
    values = volume.voxels[k] - 2000
    moved = Volume(
        np.where(np.arange(len(volume.voxels))[:, None, None] == k, values, volume.voxels).astype(np.float32),
        volume.affine_lps, volume.frames, volume.series_uid, volume.frame_of_reference_uid, has_geometry=True,
    )  # fmt: skip

    assert greys(moved, k, header).words == "W 61  L 30"


@pytest.mark.parametrize(("function", "at_centre"), [("LINEAR", 0.505), ("LINEAR_EXACT", 0.5), ("SIGMOID", 0.5)])
def test_the_window_functions_of_the_standard(function: str, at_centre: float) -> None:
    shown = windowed(np.array([-1000.0, 40.0, 1000.0]), 40, 101, function)

    assert np.allclose(shown, [0, at_centre, 1], atol=1e-3)
