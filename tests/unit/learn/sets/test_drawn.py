"""Masks and boxes that readers drew become items of segmentation and detection models."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from dicomnode.bundles.approval import approve, approved
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.index.studies import load_study
from dicomnode.learn.harvest.drawn import write_boxes, write_mask
from dicomnode.learn.harvest.grid import source_grid
from dicomnode.learn.values import Source, What
from tests.bundles_made import bundle_made, detection_toml, segmentation_toml
from tests.phantom import ct_series
from tests.unit.learn.sets.conftest import Hospital

ORIENTED = {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS", "labels": None}


def with_model(hospital: Hospital, name: str, toml: str, network: str) -> None:
    folder = hospital.config.infer.folder
    bundle_made(folder, name, network, dicom=toml, preprocessing=[ORIENTED])
    approve(hospital.index, folder / name, "a test")
    hospital.model = approved(hospital.index, folder / name)


@pytest.fixture
def study_uid(hospital: Hospital) -> str:
    images = ct_series(slices=4)
    for image in images:
        hospital.receive(image)
    return str(images[0].StudyInstanceUID)


def grid(hospital: Hospital):
    with hospital.index.snapshot() as session:
        study = load_study(session, hospital.state, 1)
    return source_grid(study.series[0], load_dicom_toml(hospital.model.folder).series)


def item(hospital: Hospital) -> dict[str, np.ndarray]:
    made = hospital.build()
    assert not made.left_out
    return load_file(made.folder / made.items[0].file)


def test_a_readers_mask_lies_on_its_voxels_in_the_item(hospital: Hospital, study_uid: str) -> None:
    with_model(hospital, "seg", segmentation_toml("seg"), "Threshold")
    mask = np.zeros((4, 6, 8), np.uint8)
    mask[2, 3, 5] = 1
    file = write_mask(hospital.state, grid(hospital), mask)
    hospital.label(study_uid, None, model="seg", output=-1, what=What.MASK, source=Source.SEG, file=file)

    made = item(hospital)

    assert made["image"][0][made["mask"] == 1].tolist() == [2000 + 30 + 5]


def test_a_reader_who_says_that_nothing_is_there_gives_an_empty_mask(hospital: Hospital, study_uid: str) -> None:
    with_model(hospital, "seg", segmentation_toml("seg"), "Threshold")
    hospital.label(study_uid, 0.0, model="seg", output=1)

    assert not item(hospital)["mask"].any()


def test_a_finding_without_a_drawing_is_no_item_of_a_segmentation(hospital: Hospital, study_uid: str) -> None:
    with_model(hospital, "seg", segmentation_toml("seg"), "Threshold")
    hospital.label(study_uid, 1.0, model="seg", output=1)

    assert hospital.build().left_out == {"no mask on it": 1}


def test_a_readers_boxes_become_the_detectors(hospital: Hospital, study_uid: str) -> None:
    with_model(hospital, "boxes", detection_toml("boxes"), "Spots")
    drawn = np.array([[1, 2, 3, 3, 4, 6]], np.float32)
    file = write_boxes(hospital.state, grid(hospital), drawn, np.array([0]))
    hospital.label(study_uid, None, model="boxes", output=-1, what=What.BOXES, source=Source.SR, file=file)

    made = item(hospital)

    image, (box,) = made["image"][0], made["boxes"]
    inside = image[
        tuple(slice(int(np.ceil(low)), int(np.floor(high)) + 1) for low, high in zip(box[:3], box[3:], strict=True))
    ]
    assert sorted(inside.flatten().tolist()) == sorted(
        float(1000 * k + 10 * j + i) for k in (1, 2) for j in (2, 3) for i in (3, 4, 5)
    )
    assert made["labels"].tolist() == [0]


def test_a_drawing_on_other_images_is_refused_by_name(hospital: Hospital, study_uid: str, tmp_path: Path) -> None:
    with_model(hospital, "seg", segmentation_toml("seg"), "Threshold")
    file = write_mask(hospital.state, grid(hospital), np.ones((4, 6, 8), np.uint8))
    hospital.label(study_uid, None, model="seg", output=-1, what=What.MASK, source=Source.SEG, file=file)
    for image in ct_series(slices=5)[4:]:  # arrived late
        hospital.receive(image)

    (why,) = hospital.build().left_out

    assert why.startswith("the images are not those that this was drawn on")
