"""Key objects, presentation states, maps and structure sets of images that are not quite as the standard wants them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicomnode.encode.results import encode_results
from dicomnode.values import Frame, Role
from tests.phantom import enhanced, mr_series, us_image
from tests.unit.encode.examples import (
    INSIDE,
    MADE_AT,
    SEGMENTS,
    node_of,
    run_of,
    segmented,
    stacked,
    stored,
    two_boxes,
)
from tests.unit.encode.placed import door_says, of_images, probability_of, projection
from tests.unit.encode.test_source import NAMES

OBJECTS = (Role.SR, Role.KOS, Role.GSPS, Role.PMAP, Role.RTSTRUCT)


@pytest.mark.parametrize("name", NAMES)
def test_names_come_through_every_character_set_into_every_object(name: str, tmp_path: Path) -> None:
    character_set, patient_name = NAMES[name]
    images = mr_series()
    for image in images:
        image.SpecificCharacterSet = character_set
        image.PatientName = image.ReferringPhysicianName = patient_name

    example = of_images(images, tmp_path, OBJECTS)

    assert [one.role for one in example.made] == list(OBJECTS)
    assert {str(example.read(role).PatientName) for role in OBJECTS} == {patient_name}
    assert {str(example.read(role).ReferringPhysicianName) for role in OBJECTS} == {patient_name}
    assert door_says(example) == []


def test_what_a_scanner_left_out_is_empty_in_every_object(tmp_path: Path) -> None:
    images = mr_series()
    left_out = ("AccessionNumber", "StudyID", "PatientSex", "PatientBirthDate", "PatientName", "StudyTime")
    for image in images:
        for keyword in (*left_out, "SliceThickness", "InstanceNumber", "PatientAge"):
            delattr(image, keyword)

    example = of_images(images, tmp_path, OBJECTS)

    for role in OBJECTS:
        result = example.read(role)
        assert [keyword for keyword in left_out if keyword not in result or result[keyword].value] == []
    assert door_says(example) == []
    words = [str(item.get("TextValue", "")) for item in example.read(Role.KOS).ContentSequence]
    assert any("Anterior hippocampus: slice 2." in text for text in words)


@pytest.mark.parametrize("part", ["KNEE", "BREAST", "CHEST", "ELSEWHERE", ""])
def test_no_side_is_written_whatever_the_body_part(part: str, tmp_path: Path) -> None:
    images = mr_series()
    for image in images:
        image.BodyPartExamined, image.Laterality = part, "L"

    example = of_images(images, tmp_path, OBJECTS)

    assert not example.read(Role.GSPS).get("Laterality")
    assert door_says(example) == []


def test_a_volume_of_several_multi_frame_images_has_every_object_but_the_map(tmp_path: Path) -> None:
    singles = mr_series(slices=6)
    pair = [enhanced(singles[:3], name="first half"), enhanced(singles[3:], name="second half")]
    for image in pair:
        image.SeriesInstanceUID = pair[0].SeriesInstanceUID
    study, series = stored(pair, tmp_path)
    volume = stacked(singles, stored(singles, tmp_path / "single")[1])
    paths = {instance.sop_instance_uid: instance.path for instance in series.instances}
    frames = tuple(
        Frame(pair[k // 3].SOPInstanceUID, pair[0].SOPClassUID, k % 3 + 1, paths[pair[k // 3].SOPInstanceUID])
        for k in range(6)
    )
    volume = replace(volume, frames=frames, series_uid=pair[0].SeriesInstanceUID)
    labels = two_boxes(volume.voxels.shape)
    prediction = segmented(labels, INSIDE)
    prediction = replace(prediction, answer=replace(prediction.answer, probability=probability_of(labels)))

    made = encode_results(
        run_of(study), series, volume, prediction, SEGMENTS, node_of(tmp_path), MADE_AT, objects=OBJECTS
    )

    assert [one.role for one in made] == [Role.SR, Role.KOS, Role.GSPS, Role.RTSTRUCT]
    referred = made[2].dataset.ReferencedSeriesSequence[0].ReferencedImageSequence
    assert [np.atleast_1d(image.ReferencedFrameNumber).tolist() for image in referred] == [[2, 3], [1]]


def test_a_colour_image_has_no_grayscale_presentation_state(tmp_path: Path) -> None:
    image = us_image()
    image.PatientOrientation = ["L", "F"]

    example = projection(tmp_path, OBJECTS, image=image)

    assert Role.GSPS not in [one.role for one in example.made]
