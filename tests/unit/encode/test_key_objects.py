"""A Key Object Selection names the images that a reader should look at."""

from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.encode.door.references import listed
from dicomnode.encode.results import encode_results
from dicomnode.values import Role
from tests.phantom import mr_series
from tests.unit.encode.examples import (
    MADE_AT,
    SEGMENTS,
    Example,
    could_not_results,
    node_of,
    run_of,
    segmented,
    stacked,
    stored,
)
from tests.unit.encode.placed import ENHANCED, PLACED, SINGLE, door_says, placed, projection

KOS = (Role.SR, Role.KOS)


def key_images(document: Dataset) -> list[Dataset]:
    return [item.ReferencedSOPSequence[0] for item in document.ContentSequence if item.ValueType == "IMAGE"]


def words(document: Dataset) -> str:
    (item,) = [i for i in document.ContentSequence if i.ValueType == "TEXT" and i.RelationshipType == "CONTAINS"]
    return str(item.TextValue)


@pytest.mark.parametrize("name", SINGLE)
def test_the_key_images_are_those_on_which_each_structure_is_largest(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, KOS)

    uids = [item.ReferencedSOPInstanceUID for item in key_images(example.read(Role.KOS))]
    assert uids == [example.volume.frames[k].sop_instance_uid for k in (1, 3)]
    assert [uid for _, uid in listed(example.read(Role.KOS))] == uids
    assert door_says(example) == []


@pytest.mark.parametrize("name", ENHANCED)
def test_the_frames_of_an_enhanced_image_are_named(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, KOS)

    (reference,) = key_images(example.read(Role.KOS))
    assert list(reference.ReferencedFrameNumber) == [example.volume.frames[k].frame_number for k in (1, 3)]
    assert door_says(example) == []


@pytest.mark.parametrize("name", PLACED)
def test_the_words_name_each_finding_and_its_image_as_the_viewer_numbers_it(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, KOS)

    said = words(example.read(Role.KOS))
    assert "AI result, not verified" in said
    kind = "frame" if name in ENHANCED else "image"
    number = numbers(name, example)
    assert f"Anterior hippocampus: {kind} {number[0]}." in said
    assert f"Posterior hippocampus: {kind} {number[1]}." in said


def numbers(name: str, example: Example) -> list[int]:
    if name in ENHANCED:
        return [example.volume.frames[k].frame_number or 0 for k in (1, 3)]
    return [int(SINGLE[name][k].InstanceNumber) for k in (1, 3)]


def test_a_radiograph_with_a_finding_is_a_key_image(tmp_path: Path) -> None:
    example = projection(tmp_path, KOS)

    (reference,) = key_images(example.read(Role.KOS))
    assert reference.ReferencedSOPInstanceUID == example.series.instances[0].sop_instance_uid
    assert "ReferencedFrameNumber" not in reference
    assert "Pneumonia: image 1." in words(example.read(Role.KOS))
    assert door_says(example) == []


def test_nothing_found_has_no_key_images(tmp_path: Path) -> None:
    assert [one.role for one in projection(tmp_path, KOS, probability=0.1).made] == [Role.SR]


def test_could_not_analyse_has_no_key_images(tmp_path: Path) -> None:
    assert Role.KOS not in [one.role for one in could_not_results(tmp_path).made]


def test_the_title_claims_no_more_than_interest(tmp_path: Path) -> None:
    document = placed("axial CT", tmp_path, KOS).read(Role.KOS)

    title = document.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113000", "DCM", "Of Interest")
    assert "not verified" in document.SeriesDescription


def test_highdicom_reads_the_same_key_images(tmp_path: Path) -> None:
    document = placed("oblique MR", tmp_path, KOS).read(Role.KOS)

    read = highdicom.ko.KeyObjectSelectionDocument.from_dataset(document)

    found = [item.referenced_sop_instance_uid for item in read.content.get_references()]
    assert found == [item.ReferencedSOPInstanceUID for item in key_images(document)]


def test_encoding_key_objects_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (placed("axial CT", tmp_path, KOS) for _ in range(2))

    assert [one.content for one in first.made] == [one.content for one in second.made]


def test_patient_and_study_are_told_as_in_the_source(tmp_path: Path) -> None:
    document = placed("axial CT", tmp_path, KOS).read(Role.KOS)

    assert (document.PatientName, document.PatientAge) == ("Phantom^One", "056Y")


def test_the_words_are_in_the_language_of_the_site(tmp_path: Path) -> None:
    images = mr_series()
    study, series = stored(images, tmp_path)
    volume = stacked(images, series)
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[2, 1:3, 1:3] = 1
    node = node_of(tmp_path).model_copy(update={"language": "de"})

    made = encode_results(run_of(study), series, volume, segmented(labels), SEGMENTS, node, MADE_AT, objects=[Role.KOS])

    assert "Anterior hippocampus: Bild 3." in words(made[0].dataset)
    assert made[0].dataset.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "German"
