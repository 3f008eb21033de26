"""A Parametric Map read back has every value where the prediction has it."""

from pathlib import Path

import highdicom
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.parametric_map import directions
from dicomnode.encode.results import encode_results
from dicomnode.values import DomainAnswer, Prediction, Role, Segmentation
from tests.phantom import dx_image, mr_series
from tests.unit.encode.examples import (
    INSIDE,
    MADE_AT,
    SEGMENTS,
    Example,
    node_of,
    run_of,
    segmented,
    stacked,
    stored,
    voxel_places,
)
from tests.unit.encode.placed import PLACED, SALIENT, door_says, placed, probability_of, projection

PMAP = (Role.SR, Role.PMAP)


def map_places(dataset: Dataset, value: float) -> set[tuple[float, ...]]:
    """Where the voxels of one value lie, worked out from each frame's own position (PS3.3 C.7.6.2.1.1)."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    direction = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    row_mm, column_mm = (float(mm) for mm in shared.PixelMeasuresSequence[0].PixelSpacing)
    found: set[tuple[float, ...]] = set()
    for pixels, groups in zip(values_of(dataset), dataset.PerFrameFunctionalGroupsSequence, strict=True):
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = direction[:3] * column_mm, direction[3:] * row_mm
        affine[:3, 3] = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        found |= voxel_places((pixels == np.float32(value))[None], affine)
    return found


def values_of(dataset: Dataset) -> NDArray[np.float32]:
    return np.frombuffer(dataset.FloatPixelData, "<f4").reshape(-1, dataset.Rows, dataset.Columns)


def predicted(example: Example, value: float) -> set[tuple[float, ...]]:
    return voxel_places(probability_of(example.labels) == value, example.volume.affine_lps)


@pytest.mark.parametrize("name", PLACED)
def test_every_probability_lies_where_it_was_predicted(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, PMAP)

    dataset = example.read(Role.PMAP)
    for value in (1.0, 0.75):
        assert map_places(dataset, value) == predicted(example, value)
    assert len(map_places(dataset, 1.0)) == 1
    assert door_says(example) == []


@pytest.mark.parametrize("name", PLACED)
def test_highdicom_reads_the_same_probabilities_in_the_same_places(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, PMAP)

    volume = highdicom.pm.ParametricMap.from_dataset(example.read(Role.PMAP)).get_volume()

    to_index = np.eye(4)[[2, 1, 0, 3]]  # highdicom's affine takes (k, j, i), ours (i, j, k)
    assert voxel_places(volume.array == 0.75, volume.affine @ to_index) == predicted(example, 0.75)


@pytest.mark.parametrize("name", PLACED)
def test_every_slice_has_its_frame(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, PMAP)

    dataset = example.read(Role.PMAP)
    named = [
        frame.DerivationImageSequence[0].SourceImageSequence[0] for frame in dataset.PerFrameFunctionalGroupsSequence
    ]
    wanted = {(f.sop_instance_uid, f.frame_number) for f in example.volume.frames}
    assert {(n.ReferencedSOPInstanceUID, n.get("ReferencedFrameNumber")) for n in named} == wanted
    assert len(named) == len(wanted)


def test_a_saliency_map_lies_on_its_radiograph_pixel_by_pixel(tmp_path: Path) -> None:
    example = projection(tmp_path, PMAP)

    dataset = example.read(Role.PMAP)
    assert values_of(dataset)[SALIENT] == 1.0
    assert values_of(dataset)[0, 2, 4] == 0.5
    assert np.count_nonzero(values_of(dataset)) == 2
    source = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == example.series.instances[0].sop_instance_uid
    assert door_says(example) == []


def test_a_projection_has_a_frame_of_reference_of_its_own(tmp_path: Path) -> None:
    image = dx_image()
    image.FrameOfReferenceUID = "1.2.3"

    example = projection(tmp_path, PMAP, image=image)

    assert example.read(Role.PMAP).FrameOfReferenceUID != "1.2.3"
    assert door_says(example) == []


def test_a_projection_is_turned_as_its_patient_orientation_says() -> None:
    assert directions(oriented("L", "F")) == [1, 0, 0, 0, 0, -1]
    assert directions(oriented("P", "F")) == [0, 1, 0, 0, 0, -1]
    assert directions(oriented("AR", "FR")) == [0, -1, 0, 0, 0, -1]


@pytest.mark.parametrize("letters", [(), ("L",), ("L", "R"), ("L", "L"), ("X", "F")])
def test_a_projection_without_usable_orientation_has_no_map(letters: tuple[str, ...], tmp_path: Path) -> None:
    example = projection(tmp_path, PMAP, image=oriented(*letters))

    assert [one.role for one in example.made] == [Role.SR]


def oriented(*letters: str) -> Dataset:
    image = dx_image()
    image.PatientOrientation = list(letters)
    return image


def test_the_map_says_which_quantity_it_shows_of_which_finding(tmp_path: Path) -> None:
    probability = mapping(placed("axial CT", tmp_path / "1", PMAP))
    saliency = mapping(projection(tmp_path / "2", PMAP))

    assert probability.LUTExplanation == "Probability of any of: Anterior hippocampus, Posterior hippocamp"
    assert probability.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeMeaning == "Probability"
    assert saliency.LUTExplanation == "Saliency (Grad-CAM): Pneumonia"
    assert saliency.MeasurementUnitsCodeSequence[0].CodeValue == "1"


def mapping(example: Example) -> Dataset:
    return example.read(Role.PMAP).SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]


@pytest.mark.parametrize(
    "prediction",
    [
        segmented(np.ones((5, 6, 8), np.uint8)),
        Prediction(
            Segmentation(np.zeros((5, 6, 8), np.uint8), probability=np.zeros((5, 6, 8), np.float16)), INSIDE, "cpu"
        ),
        Prediction(
            Segmentation(np.zeros((5, 6, 8), np.uint8), probability=np.ones((5, 6, 8), np.float16)),
            DomainAnswer(inside=False, reasons=("age unknown",)),
            "cpu",
        ),
    ],
    ids=["no map", "an empty map", "outside the evaluated domain"],
)
def test_no_map_is_made_of(prediction: Prediction, tmp_path: Path) -> None:
    images = mr_series()
    study, series = stored(images, tmp_path)
    volume = stacked(images, series)

    made = encode_results(run_of(study), series, volume, prediction, SEGMENTS, node_of(tmp_path), MADE_AT, objects=PMAP)

    assert [one.role for one in made] == [Role.SR]


def test_one_slice_alone_is_as_thick_as_the_volume_says(tmp_path: Path) -> None:
    images = mr_series(slices=1, spacing_mm=10.0)
    study, series = stored(images, tmp_path)
    volume = stacked(images, series)
    volume.affine_lps[:3, 2] = (0, 0, 10.0)
    answer = Segmentation(np.ones((1, 6, 8), np.uint8), probability=np.ones((1, 6, 8), np.float16))
    prediction = Prediction(answer, INSIDE, "cpu")

    (made,) = encode_results(
        run_of(study), series, volume, prediction, SEGMENTS, node_of(tmp_path), MADE_AT, objects=[Role.PMAP]
    )

    measures = made.dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SpacingBetweenSlices == 10.0


def test_encoding_a_map_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (placed("enhanced MR", tmp_path, PMAP) for _ in range(2))

    assert [one.content for one in first.made] == [one.content for one in second.made]
