"""Each connected part of a segment of lesions is a finding of its own, in every object under one tracking UID."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomnode.bundles.dicom_toml import Code, DicomToml, Segment
from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, groups, tracking_of
from dicomnode.encode.lesions import MOST_LESIONS, numbered_parts
from dicomnode.encode.results import encode_results
from dicomnode.values import Role
from tests.phantom import ct_series
from tests.unit.encode.examples import (
    FRONT,
    MADE_AT,
    SEGMENTS,
    Example,
    node_of,
    run_of,
    seg_places,
    segmented,
    stacked,
    stored,
    texts,
    voxel_places,
)

NODULE = Segment(
    index=2,
    label="Nodule",
    category=Code(value="49755003", scheme="SCT", meaning="Morphologically Altered Structure"),
    type=Code(value="27925004", scheme="SCT", meaning="Nodule"),
    min_volume_ml=0.0035,  # 2 voxels of 2 mm³ are large enough, one is not
    lesions=True,
)
RULES = SEGMENTS.model_copy(update={"segments": (FRONT, NODULE)})


def nodules(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An organ of 4 voxels; nodules of 6 and 2 voxels, the larger joined over a corner; one voxel that is none."""
    labels = np.zeros(shape, np.uint8)
    labels[0, 0:2, 0:2] = 1
    labels[4, 0, 0:2] = 2
    labels[1, 2:4, 3:5] = 2
    labels[2, 4, 5:7] = 2  # shares a corner with row 3, column 4 of the slice before
    labels[4, 5, 7] = 2
    return labels


def results(folder: Path, rules: DicomToml = RULES, objects: tuple[Role, ...] = (Role.SEG, Role.SR)) -> Example:
    images = ct_series(pixel_mm=(1.0, 1.0), spacing_mm=2.0)
    study, series = stored(images, folder)
    volume = stacked(images, series)
    run, labels = run_of(study), nodules(volume.voxels.shape)
    made = encode_results(run, series, volume, segmented(labels), rules, node_of(folder), MADE_AT, objects=objects)
    return Example(run, series, volume, labels, made, rules)


def test_each_lesion_is_a_segment_the_largest_first_and_a_speck_is_none(tmp_path: Path) -> None:
    example = results(tmp_path)

    names = [segment.SegmentLabel for segment in example.seg.SegmentSequence]
    assert names == ["Anterior hippocampus", "Nodule 1", "Nodule 2"]
    places = [seg_places(example.seg, number) for number in (2, 3)]
    large, small = np.zeros_like(example.labels, bool), np.zeros_like(example.labels, bool)
    large[1:3], small[4, 0, 0:2] = example.labels[1:3] == 2, True
    assert places == [voxel_places(mask, example.volume.affine_lps) for mask in (large, small)]


def test_each_lesion_has_its_own_tracking_in_segmentation_and_report(tmp_path: Path) -> None:
    example = results(tmp_path)

    tracks = [(s.TrackingID, s.TrackingUID) for s in example.seg.SegmentSequence]
    assert len({uid for _, uid in tracks}) == 3
    assert [tracking_of(group) for group in groups(example.report)] == [*tracks, *tracks]
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def test_lesions_are_counted_and_measured_in_words(tmp_path: Path) -> None:
    said = texts(results(tmp_path).report)

    # 6 voxels of 2 mm³ over 2 slices, 3 rows, 4 columns: 12 mm³, diagonal of 4 × 3 × 4 mm; its larger slice holds 2 × 2
    assert "Nodule: 2 found." in said
    assert "Nodule 1: volume 0.01 ml, largest diameter 6 mm, 2 × 2 mm on its largest slice." in said


def test_the_tracking_of_a_lesion_follows_from_its_place_not_from_its_number(tmp_path: Path) -> None:
    example = results(tmp_path / "both")
    alone = RULES.model_copy(update={"segments": (FRONT, NODULE.model_copy(update={"min_volume_ml": 0.011}))})

    only = results(tmp_path / "one", alone)

    assert [s.SegmentLabel for s in only.seg.SegmentSequence] == ["Anterior hippocampus", "Nodule 1"]
    assert only.seg.SegmentSequence[1].TrackingUID == example.seg.SegmentSequence[1].TrackingUID
    assert example.seg.SegmentSequence[2].TrackingUID not in {s.TrackingUID for s in only.seg.SegmentSequence}


def test_no_lesion_large_enough_is_told_as_not_found(tmp_path: Path) -> None:
    none = RULES.model_copy(update={"segments": (FRONT, NODULE.model_copy(update={"min_volume_ml": 1.0}))})

    report = results(tmp_path, none).report

    assert "Looked for and not found: Nodule." in texts(report)


def test_without_a_segmentation_object_the_outlines_carry_every_figure(tmp_path: Path) -> None:
    example = results(tmp_path, objects=(Role.SR,))

    for group in groups(example.report):
        names = {item.ConceptNameCodeSequence[0].CodeMeaning for item in group.ContentSequence}
        assert {"Volume", "Diameter", "Long Axis", "Short Axis", "Attenuation Coefficient"} <= names
        assert children(group, "111030/DCM")
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


@pytest.mark.parametrize("joined", [True, False])
def test_voxels_that_touch_at_a_corner_belong_together(joined: bool) -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = joined
    mask[2, 2, 2] = True

    assert int(numbered_parts(mask, 1, MOST_LESIONS).max()) == 1


def test_more_lesions_than_can_be_numbered_share_the_last_number() -> None:
    mask = np.zeros((1, 9, 9), bool)
    mask[0, ::2, ::2] = True  # 25 specks
    mask[0, 0, 1] = True  # one joins two of them

    numbers = numbered_parts(mask, 1, 5)

    assert np.bincount(numbers.ravel())[1:].tolist() == [3, 1, 1, 1, 20]
