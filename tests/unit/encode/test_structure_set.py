"""An RT Structure Set read back holds every voxel that was predicted, and no other."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door.items import groups, tracking_of
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
from tests.unit.encode.placed import PLACED, door_says, placed, projection
from tests.unit.encode.test_outlines import filled

RT = (Role.SR, Role.RTSTRUCT)


def mask_of(dataset: Dataset, number: int, example: Example) -> NDArray[np.bool_]:
    """The voxels whose centres lie in the contours of one region, worked out from the patient coordinates alone."""
    volume = example.volume
    to_index, mask = np.linalg.inv(volume.affine_lps), np.zeros(volume.voxels.shape, bool)
    for contour in region(dataset, number).ContourSequence:
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        i, j, k = (to_index[:3] @ np.column_stack([points, np.ones(len(points))]).T).round(3)
        assert len(set(k)) == 1
        line = np.column_stack([i, j]) + 0.5
        mask[int(k[0])] ^= filled(np.concatenate([line, line[:1]]), mask.shape[1:])
    return mask


def region(dataset: Dataset, number: int) -> Dataset:
    (found,) = [item for item in dataset.ROIContourSequence if item.ReferencedROINumber == number]
    return found


@pytest.mark.parametrize("name", PLACED)
def test_every_voxel_lies_in_the_contours_of_its_structure(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, RT)

    dataset = example.read(Role.RTSTRUCT)
    for number in (1, 2):
        assert np.array_equal(mask_of(dataset, number, example), example.labels == number)
    assert door_says(example) == []


@pytest.mark.parametrize("name", PLACED)
def test_each_contour_names_the_image_and_frame_that_it_lies_on(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, RT)

    def frame_of(contour: Dataset) -> tuple[str, int | None]:
        image = contour.ContourImageSequence[0]
        return image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")

    named = [frame_of(contour) for contour in region(example.read(Role.RTSTRUCT), 1).ContourSequence]
    assert named == [(f.sop_instance_uid, f.frame_number) for f in example.volume.frames[1:3]]


def test_a_hole_is_left_out_through_a_channel_without_width(tmp_path: Path) -> None:
    labels = np.zeros((5, 6, 8), np.uint8)
    labels[2, 1:6, 1:7], labels[2, 3, 3] = 1, 0
    labels[2, 2, 5] = 0

    example = example_of(labels, tmp_path)

    dataset = example.read(Role.RTSTRUCT)
    (contour,) = region(dataset, 1).ContourSequence
    assert contour.ContourGeometricType == "CLOSED_PLANAR"
    assert np.array_equal(mask_of(dataset, 1, example), labels == 1)
    assert door_says(example) == []


def example_of(labels: NDArray[np.uint8], folder: Path) -> Example:
    images = mr_series(origin=(-31.5, 12.25, 40.0))
    study, series = stored(images, folder)
    volume, run = stacked(images, series), run_of(study)
    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(folder), MADE_AT, objects=RT)
    return Example(run, series, volume, labels, made, SEGMENTS)


def test_a_region_is_named_coloured_coded_and_tracked_as_everywhere_else(tmp_path: Path) -> None:
    example = placed("axial CT", tmp_path, RT)

    dataset = example.read(Role.RTSTRUCT)
    tracked = [
        (roi.ROIName, roi.ConceptualVolumeIdentificationSequence[0].ConceptualVolumeUID)
        for roi in dataset.StructureSetROISequence
    ]
    assert set(tracked) <= {tracking_of(group) for group in groups(example.report)}
    assert [name for name, _ in tracked] == ["Anterior hippocampus", "Posterior hippocampus"]
    assert len(region(dataset, 1).ROIDisplayColor) == 3
    assert region(dataset, 1).ROIDisplayColor != region(dataset, 2).ROIDisplayColor
    observation = dataset.RTROIObservationsSequence[0]
    assert observation.RTROIIdentificationCodeSequence[0].CodeMeaning == "Hippocampus"
    assert observation.RTROIInterpretedType == "ORGAN"
    assert dataset.StructureSetROISequence[0].ROIVolume == 0.024  # 12 voxels of 1 × 1 × 2 mm
    assert dataset.StructureSetROISequence[0].ROIGenerationAlgorithm == "AUTOMATIC"


def test_nobody_has_approved_it_and_it_says_so(tmp_path: Path) -> None:
    dataset = placed("axial CT", tmp_path, RT).read(Role.RTSTRUCT)

    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert "not verified" in dataset.SeriesDescription
    assert {roi.ROIDescription for roi in dataset.StructureSetROISequence} == {"AI result, not verified."}


def test_every_image_of_the_series_is_in_its_frame_of_reference(tmp_path: Path) -> None:
    example = placed("oblique MR", tmp_path, RT)

    (place,) = example.read(Role.RTSTRUCT).ReferencedFrameOfReferenceSequence
    assert place.FrameOfReferenceUID == example.volume.frame_of_reference_uid
    (series,) = place.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    uids = [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence]
    assert uids == [frame.sop_instance_uid for frame in example.volume.frames]


def test_a_projection_has_no_structure_set(tmp_path: Path) -> None:
    assert [one.role for one in projection(tmp_path, RT).made] == [Role.SR]


def test_nothing_found_and_could_not_analyse_have_no_structure_set(tmp_path: Path) -> None:
    nothing = example_of(np.zeros((5, 6, 8), np.uint8), tmp_path / "nothing")

    assert [one.role for one in nothing.made] == [Role.SR]
    assert Role.RTSTRUCT not in [one.role for one in could_not_results(tmp_path).made]


def test_a_long_outline_is_written_as_numbers(tmp_path: Path) -> None:
    comb = np.zeros((1, 40, 400), np.uint8)
    comb[0, :, ::2], comb[0, 0] = 1, 1
    images = mr_series(slices=1, rows=40, columns=400)
    study, series = stored(images, tmp_path)
    volume = stacked(images, series)
    volume.affine_lps[:3, 2] = (0, 0, 1)

    (made,) = encode_results(
        run_of(study), series, volume, segmented(comb), SEGMENTS, node_of(tmp_path), MADE_AT, objects=[Role.RTSTRUCT]
    )

    example = Example(run_of(study), series, volume, comb, (made,), SEGMENTS)
    element = region(example.read(Role.RTSTRUCT), 1).ContourSequence[0]["ContourData"]
    assert element.VR == "DS"
    assert np.array_equal(mask_of(example.read(Role.RTSTRUCT), 1, example), comb == 1)


def test_encoding_a_structure_set_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (placed("enhanced MR", tmp_path, RT) for _ in range(2))

    assert [one.content for one in first.made] == [one.content for one in second.made]
