"""Source headers are made fit without changing what they say."""

from pathlib import Path

import numpy as np
import pytest

from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.results import encode_results
from dicomnode.values import Role
from tests.phantom import mr_series
from tests.unit.encode.examples import (
    MADE_AT,
    SEGMENTS,
    Example,
    node_of,
    run_of,
    segmentation_results,
    segmented,
    stacked,
    stored,
    two_boxes,
)

NAMES = {
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Japanese with half-width": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese": (["GB18030"], "Wang^XiaoDong=王^小东"),
    "Cyrillic": (["ISO_IR 144"], "Люкceмбypг"),
    "Latin 1": (["ISO_IR 100"], "Müller^Jörg"),
    "default repertoire": (["ISO_IR 6"], "Plain^Name"),
    "none said": ([], "Plain^Name"),
}


def results_of(name: str, tmp_path: Path) -> Example:
    character_set, patient_name = NAMES[name]
    images = mr_series()
    for image in images:
        image.SpecificCharacterSet = character_set
        image.PatientName = image.ReferringPhysicianName = patient_name
    return segmentation_results(images, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_names_come_through_every_character_set_identical(name: str, tmp_path: Path) -> None:
    example = results_of(name, tmp_path)

    for result in (example.seg, example.report):
        assert result.SpecificCharacterSet == "ISO_IR 192"
        assert str(result.PatientName) == NAMES[name][1]
        assert str(result.ReferringPhysicianName) == NAMES[name][1]
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def test_attributes_that_a_scanner_left_out_are_empty_in_the_results(tmp_path: Path) -> None:
    images = mr_series()
    left_out = ("AccessionNumber", "StudyID", "PatientSex", "PatientBirthDate", "PatientName", "StudyTime")
    for image in images:
        for keyword in (*left_out, "SliceThickness"):
            delattr(image, keyword)

    example = segmentation_results(images, tmp_path)

    for result in (example.seg, example.report):
        assert [keyword for keyword in left_out if keyword not in result or result[keyword].value] == []
    assert float(example.seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness) == 1.0


def test_only_the_instances_of_the_volume_are_read(tmp_path: Path) -> None:
    images = mr_series(slices=6)
    study, series = stored(images, tmp_path)
    volume = stacked(images[:5], series)
    series.instances[5].path.unlink()

    made = encode_results(
        run_of(study), series, volume, segmented(two_boxes((5, 6, 8))), SEGMENTS, node_of(tmp_path), MADE_AT
    )

    assert [one.role for one in made] == [Role.SEG, Role.SR]
    assert np.count_nonzero(volume.voxels) == 0
