"""What OHIF needs to make a finding editable, and what it must not lose."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, code_text, groups, meaning, tracking_of, tree
from dicomnode.encode.report.ohif import FREEHAND
from dicomnode.encode.results import encode_results
from dicomnode.values import Role
from tests.phantom import ct_series, dx_image
from tests.unit.encode.examples import (
    MADE_AT,
    SEGMENTS,
    Example,
    flat,
    node_of,
    run_of,
    segmented,
    stacked,
    stored,
    two_boxes,
)

OBJECTS = (Role.SEG, Role.SR_OHIF)


def ohif_results(folder: Path) -> Example:
    """SEG and SR for OHIF of two boxes in a CT of 1 × 1 × 2 mm."""
    images = ct_series(pixel_mm=(1.0, 1.0), spacing_mm=2.0)
    study, series = stored(images, folder)
    volume = stacked(images, series)
    run, labels = run_of(study), two_boxes(volume.voxels.shape)
    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(folder), MADE_AT, objects=OBJECTS)
    return Example(run, series, volume, labels, made, SEGMENTS)


def numbers(group: Dataset) -> list[Dataset]:
    return [item for item in group.ContentSequence if item.ValueType == "NUM"]


def test_an_outline_stands_within_the_first_number_under_the_tracking_id_of_the_drawing_tool(tmp_path: Path) -> None:
    example = ohif_results(tmp_path)

    first, second = groups(example.read(Role.SR_OHIF))[:2]

    uids = [segment.TrackingUID for segment in example.seg.SegmentSequence]
    assert [tracking_of(group) for group in (first, second)] == [(FREEHAND, uids[0]), (FREEHAND, uids[1])]
    area = numbers(first)[0]
    assert meaning(area) == "Area"
    (outline,) = area.ContentSequence
    assert (outline.ValueType, outline.RelationshipType, outline.GraphicType) == ("SCOORD", "INFERRED FROM", "POLYLINE")
    assert outline.GraphicData[:2] == outline.GraphicData[-2:]
    image = outline.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert image == example.volume.frames[1].sop_instance_uid


def test_no_corner_of_an_editable_outline_lies_level_with_the_centre_of_a_pixel(tmp_path: Path) -> None:
    first = groups(ohif_results(tmp_path).read(Role.SR_OHIF))[0]

    points = np.array(numbers(first)[0].ContentSequence[0].GraphicData)

    from_centre = np.abs(points % 1 - 0.5)
    assert from_centre.min() == pytest.approx(0.01, abs=1e-4)


def test_an_editable_finding_keeps_its_codes_its_site_and_its_name(tmp_path: Path) -> None:
    group = groups(ohif_results(tmp_path).read(Role.SR_OHIF))[0]

    assert [code_text(item, "ConceptCodeSequence") for item in children(group, "121071/DCM")] == ["5366008/SCT"]
    assert [code_text(item, "ConceptCodeSequence") for item in children(group, "363698007/SCT")] == ["5366008/SCT"]
    assert [item.TextValue for item in children(group, "121106/DCM")] == ["Anterior hippocampus"]


def test_every_figure_stands_in_the_findings_one_group_under_the_tracking_uid_of_its_segment(tmp_path: Path) -> None:
    example = ohif_results(tmp_path)

    found = groups(example.read(Role.SR_OHIF))

    assert [tracking_of(group)[1] for group in found] == [s.TrackingUID for s in example.seg.SegmentSequence]
    assert [meaning(item) for item in numbers(found[0])] == [
        *("Area", "Long Axis", "Short Axis", "Volume", "Diameter"),
        *["Attenuation Coefficient"] * 4,
        "Uncertainty of the outline (0 sure, 1 unsure)",
    ]


def test_the_door_lets_the_report_for_ohif_pass(tmp_path: Path) -> None:
    example = ohif_results(tmp_path)

    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def test_the_door_stops_a_segment_that_the_report_for_ohif_does_not_outline(tmp_path: Path) -> None:
    example = ohif_results(tmp_path)
    report = example.made[-1].dataset
    (container,) = children(report, "126010/DCM")
    del container.ContentSequence[0]

    faults = faults_of(Expected(example.made, example.run, example.rules, example.series))

    assert "SR: segment 1 has no outline that a viewer could jump to" in faults


def test_without_geometry_the_outline_stands_beside_as_there_is_no_number_to_hold_it(tmp_path: Path) -> None:
    image = dx_image()
    study, series = stored([image], tmp_path)
    volume, run = flat(image, series), run_of(study)
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[0, 1:3, 1:3] = 1

    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(tmp_path), MADE_AT, objects=OBJECTS)

    (report,) = [one.dataset for one in made]
    assert tracking_of(groups(report)[0])[0] == "Anterior hippocampus"
    assert sum(item.ValueType == "SCOORD" for _, item in tree(report)) == 1
    assert faults_of(Expected(made, run, SEGMENTS, series)) == []
