"""A SEG read back has every voxel where the prediction has it."""

from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import UID

from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.results import encode_results
from dicomnode.errors import SeriesRefused
from dicomnode.values import Frame, Role, Volume
from tests.phantom import OBLIQUE, SAGITTAL, ct_series, enhanced, mr_series
from tests.unit.encode.examples import (
    BACK,
    MADE_AT,
    SEGMENTS,
    Example,
    figures_of,
    node_of,
    run_of,
    seg_places,
    segmentation_results,
    segmented,
    stacked,
    stored,
    two_boxes,
    voxel_places,
)

ORIGIN = (-31.5, 12.25, 40.0)
SERIES = {
    "axial": mr_series(origin=ORIGIN),
    "sagittal": mr_series(orientation=SAGITTAL, origin=ORIGIN),
    "oblique": mr_series(orientation=OBLIQUE, origin=ORIGIN, spacing_mm=1.5),
    "reversed": mr_series(orientation=OBLIQUE, origin=ORIGIN)[::-1],
    "turned": mr_series(orientation=(-1, 0, 0, 0, -1, 0), origin=ORIGIN)[::-1],
    "anisotropic": ct_series(pixel_mm=(0.5, 0.75), spacing_mm=5.0, origin=ORIGIN),
}


@pytest.mark.parametrize("name", SERIES)
def test_every_voxel_lies_where_it_was_predicted(name: str, tmp_path: Path) -> None:
    example = segmentation_results(SERIES[name], tmp_path)

    for number in (1, 2):
        predicted = voxel_places(example.labels == number, example.volume.affine_lps)
        assert seg_places(example.seg, number) == predicted
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


@pytest.mark.parametrize("name", SERIES)
def test_highdicom_reads_the_same_voxels_in_the_same_places(name: str, tmp_path: Path) -> None:
    example = segmentation_results(SERIES[name], tmp_path)

    volume = highdicom.seg.Segmentation.from_dataset(example.seg).get_volume(combine_segments=True)

    to_index = np.eye(4)[[2, 1, 0, 3]]  # highdicom's affine takes (k, j, i), ours (i, j, k)
    for number in (1, 2):
        predicted = voxel_places(example.labels == number, example.volume.affine_lps)
        assert voxel_places(volume.array == number, volume.affine @ to_index) == predicted


@pytest.mark.parametrize("reverse_frames", [False, True])
def test_frames_of_an_enhanced_image_are_found_whatever_their_order(reverse_frames: bool, tmp_path: Path) -> None:
    example = enhanced_results(tmp_path, reverse_frames=reverse_frames)

    for number in (1, 2):
        predicted = voxel_places(example.labels == number, example.volume.affine_lps)
        assert seg_places(example.seg, number) == predicted
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def enhanced_results(tmp_path: Path, *, reverse_frames: bool) -> Example:
    """SEG and SR of one enhanced MR, its volume sorted along the normal."""
    singles = mr_series(orientation=OBLIQUE, origin=ORIGIN)
    image = enhanced(singles, reverse_frames=reverse_frames)
    study, series = stored([image], tmp_path)
    alone = stored(singles, tmp_path / "single")[1]
    order = [5 - k if reverse_frames else k + 1 for k in range(5)]
    path = series.instances[0].path
    frames = tuple(Frame(image.SOPInstanceUID, image.SOPClassUID, number, path) for number in order)
    volume = Volume(
        np.zeros((5, 6, 8), np.float32),
        stacked(singles, alone).affine_lps,
        frames,
        series.series_uid,
        image.FrameOfReferenceUID,
        has_geometry=True,
    )
    labels = two_boxes((5, 6, 8))
    run = run_of(study)
    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(tmp_path), MADE_AT)
    return Example(run, series, volume, labels, made, SEGMENTS)


def test_a_frame_used_twice_is_refused(tmp_path: Path) -> None:
    example = enhanced_results(tmp_path, reverse_frames=False)
    frames = (example.volume.frames[0],) * 5
    volume = Volume(
        example.volume.voxels, example.volume.affine_lps, frames, example.series.series_uid, "1.2", has_geometry=True
    )

    with pytest.raises(SeriesRefused, match="one frame"):
        encode_results(
            example.run, example.series, volume, segmented(example.labels), SEGMENTS, node_of(tmp_path), MADE_AT
        )


def test_empty_frames_are_left_out(tmp_path: Path) -> None:
    seg = segmentation_results(mr_series(), tmp_path).seg

    assert seg.NumberOfFrames == 3  # slices 1 and 2 for label 1, slice 3 for label 2


def test_each_segment_says_what_it_is_who_made_it_and_how_it_is_tracked(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    first = example.seg.SegmentSequence[0]
    assert first.SegmentLabel == first.TrackingID == "Anterior hippocampus"
    assert first.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Hippocampus"
    assert first.AnatomicRegionSequence[0].CodeValue == "5366008"
    assert UID(first.TrackingUID).is_valid
    assert len(first.RecommendedDisplayCIELabValue) == 3
    assert first.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = first.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("Hippocampus volumes", "1.0.0")
    assert example.run.model.digest in algorithm.AlgorithmParameters


def test_the_algorithm_is_contributing_equipment_with_its_device_uid(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    for result in (example.seg, example.report):
        items = result.ContributingEquipmentSequence
        (ours,) = [item for item in items if item.get("DeviceUID") == example.run.model.device_uid]
        assert (ours.ManufacturerModelName, ours.SoftwareVersions) == ("Hippocampus volumes", "1.0.0")


def test_a_side_is_written_only_where_it_is_configured(tmp_path: Path) -> None:
    seg = segmentation_results(mr_series(), tmp_path).seg

    assert not has_side(seg)


def has_side(dataset: Dataset) -> bool:
    return any("Laterality" in e.keyword or "TypeModifier" in e.keyword for e in dataset.iterall())


def test_the_only_segment_found_is_number_one(tmp_path: Path) -> None:
    images = mr_series()
    study, series = stored(images, tmp_path)
    volume = stacked(images, series)
    labels = two_boxes(volume.voxels.shape)
    labels[labels == 1] = 0

    made = encode_results(run_of(study), series, volume, segmented(labels), SEGMENTS, node_of(tmp_path), MADE_AT)

    seg = made[0].dataset
    assert [(s.SegmentNumber, s.SegmentLabel) for s in seg.SegmentSequence] == [(1, BACK.label)]
    assert faults_of(Expected(made, run_of(study), SEGMENTS, series)) == []


def test_encoding_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (segmentation_results(mr_series(), tmp_path) for _ in range(2))

    assert [one.role for one in first.made] == [Role.SEG, Role.SR]
    assert [one.content for one in first.made] == [one.content for one in second.made]


def test_one_slice_alone_is_as_thick_as_the_volume_says(tmp_path: Path) -> None:
    images = mr_series(slices=1, spacing_mm=10.0)
    study, series = stored(images, tmp_path)
    volume = stacked(images, series)
    volume.affine_lps[:3, 2] = (0, 0, 10.0)
    labels = np.zeros((1, 6, 8), np.uint8)
    labels[0, 1:3, 1:3] = 1

    made = encode_results(run_of(study), series, volume, segmented(labels), SEGMENTS, node_of(tmp_path), MADE_AT)

    assert figures_of(made[1].dataset, "Volume") == [0.04]  # 4 voxels of 1 × 1 × 10 mm
    assert faults_of(Expected(made, run_of(study), SEGMENTS, series)) == []
