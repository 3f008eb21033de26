"""What a radiologist and a viewer find in the report of a segmentation."""

from pathlib import Path

import numpy as np
from pydicom import Dataset

from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, groups, tracking_of, tree
from dicomnode.encode.results import encode_results
from dicomnode.values import DomainAnswer, Role
from tests.phantom import ct_series, dx_image, mr_series
from tests.unit.encode.examples import (
    MADE_AT,
    SEGMENTS,
    coded_answers,
    figures_of,
    flat,
    node_of,
    nothing_found_results,
    run_of,
    segmentation_results,
    segmented,
    stacked,
    stored,
    texts,
    two_boxes,
)


def test_volumes_are_those_of_the_mask(tmp_path: Path) -> None:
    report = segmentation_results(ct_series(pixel_mm=(0.5, 0.75), spacing_mm=5.0), tmp_path).report

    # 12 and 9 voxels of 0.5 × 0.75 × 5 = 1.875 mm³
    assert figures_of(report, "Volume") == [0.0225, 0.0169]


def test_the_summary_gives_volume_and_extent_in_words_with_units(tmp_path: Path) -> None:
    # label 1: 2 × 3 × 2 voxels of 10 mm: 12 ml, diagonal of 20 × 30 × 20 mm; label 2: 1 × 3 × 3 voxels: 9 ml
    report = segmentation_results(mr_series(pixel_mm=(10, 10), spacing_mm=10), tmp_path).report

    assert texts(report).splitlines()[-6:] == [
        "AI result, not verified by a physician. "
        "Anterior hippocampus: volume 12.00 ml, largest diameter 41 mm. "
        "Posterior hippocampus: volume 9.00 ml, largest diameter 44 mm. "
        "Examined: MR series 'MR 1', 5 images.",
        "Each structure is outlined on the slice where it is largest.",
        "The uncertainty of an outline is the model's own, averaged over the structure: 0 is sure, 1 is unsure.",
        # columns 1-2, rows 1-3, slices 1-2; columns 4-6, rows 2-4, slice 3; 10 mm each from the origin
        "Centres of mass in the patient coordinate system, mm to the left, to the back and to the head: "
        "Anterior hippocampus (15.0 / 20.0 / 15.0); Posterior hippocampus (50.0 / 30.0 / 30.0).",
        "Position within the head not verified.",
        "Measures the hippocampus in T1 weighted MR; not for clinical use.",
    ]


def test_each_segment_is_measured_and_outlined_under_the_tracking_of_the_seg(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    tracks = [(s.TrackingID, s.TrackingUID) for s in example.seg.SegmentSequence]
    assert [tracking_of(group) for group in groups(example.report)] == [*tracks, *tracks]


def test_a_volume_refers_to_its_segment_and_its_source_series(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    for number, group in enumerate(groups(example.report)[2:], 1):
        (reference,) = children(group, "121191/DCM")[0].ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == example.seg.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == number
        assert example.series.series_uid == children(group, "121232/DCM")[0].UID


def test_an_outline_lies_on_the_slice_of_largest_area_in_pixel_coordinates(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    first, second = (outline_of(group) for group in groups(example.report)[:2])

    # label 1: slices 1 and 2 are equally large, the first is taken; columns 1-2, rows 1-3
    assert first == ((1.0, 3.0), (1.0, 4.0), example.volume.frames[1].sop_instance_uid)
    # label 2: slice 3, columns 4-6, rows 2-4
    assert second == ((4.0, 7.0), (2.0, 5.0), example.volume.frames[3].sop_instance_uid)
    assert figures_of(example.report, "Area") == [6.0, 9.0]


def outline_of(group: Dataset) -> tuple[tuple[float, float], tuple[float, float], str]:
    """Range of columns, range of rows, and the image of a group's outline."""
    (region,) = children(group, "111030/DCM")
    columns, rows = region.GraphicData[::2], region.GraphicData[1::2]
    image = region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    return (min(columns), max(columns)), (min(rows), max(rows)), image


def test_every_image_read_is_in_the_library_and_in_the_evidence(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)

    read = {instance.sop_instance_uid for instance in example.series.instances}
    (library,) = children(example.report, "111028/DCM")
    images = [item for _, item in tree(library) if item.ValueType == "IMAGE"]
    assert {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in images} == read
    (study,) = example.report.CurrentRequestedProcedureEvidenceSequence
    listed = {i.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for i in s.ReferencedSOPSequence}
    assert listed == read | {example.seg.SOPInstanceUID}


def test_the_models_uncertainty_is_stated_where_there_is_one(tmp_path: Path) -> None:
    report = segmentation_results(mr_series(), tmp_path).report

    assert figures_of(report, "Uncertainty of the outline (0 sure, 1 unsure)") == [0.12]


def test_the_report_is_the_models_complete_and_unverified_in_a_series_of_its_own(tmp_path: Path) -> None:
    example = segmentation_results(mr_series(), tmp_path)
    report = example.report

    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.SeriesDescription == "AI result, not verified: Hippocampus volumes"
    assert len({example.seg.SeriesInstanceUID, report.SeriesInstanceUID, example.series.series_uid}) == 3
    assert example.run.model.device_uid == children(report, "121012/DCM")[0].UID
    assert coded_answers(report)["Procedure reported"] == "MR Brain"
    assert coded_answers(report)["Language of Content Item and Descendants"] == "English"


def test_nothing_found_says_so_in_codes_and_words_and_lists_what_was_examined(tmp_path: Path) -> None:
    example = nothing_found_results(tmp_path)

    assert len(example.made) == 1
    assert "Nothing found. Looked for and not found: Anterior hippocampus, Posterior hippocampus." in texts(
        example.report
    )
    assert "Examined: MR series 'MR 1', 5 images." in texts(example.report)
    assert coded_answers(example.report)["Presence of property"] == "Absent"
    assert coded_answers(example.report)["Summary of Analyses"] == "Succeeded"
    assert example.report.ConceptNameCodeSequence[0].CodeValue != "126000"


def test_outside_the_evaluated_domain_no_volume_is_given(tmp_path: Path) -> None:
    report = with_domain(DomainAnswer(inside=False, reasons=("the field strength is 0.2 T",)), tmp_path)

    assert figures_of(report, "Volume") == []
    assert "The field strength is 0.2 T." in texts(report)
    assert coded_answers(report)["Suitability of the input"] == "Outside the evaluated domain"


def test_the_research_override_marks_the_result(tmp_path: Path) -> None:
    report = with_domain(DomainAnswer(inside=False, reasons=("age unknown",), overridden=True), tmp_path)

    assert figures_of(report, "Volume") == [0.012, 0.009]
    assert "Research use: " in texts(report)
    assert coded_answers(report)["Suitability of the input"] == "Outside the evaluated domain: research use"


def with_domain(domain: DomainAnswer, folder: Path) -> Dataset:
    images = mr_series()
    study, series = stored(images, folder)
    volume = stacked(images, series)
    prediction = segmented(two_boxes(volume.voxels.shape), domain)
    made = encode_results(run_of(study), series, volume, prediction, SEGMENTS, node_of(folder), MADE_AT)
    return made[-1].dataset


def test_without_geometry_an_outline_is_drawn_and_nothing_is_measured(tmp_path: Path) -> None:
    image = dx_image()
    study, series = stored([image], tmp_path)
    volume = flat(image, series)
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[0, 1:3, 1:3] = 1
    run = run_of(study)

    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(tmp_path), MADE_AT)

    assert [one.role for one in made] == [Role.SR]
    assert children(groups(made[0].dataset)[0], "111030/DCM")
    assert figures_of(made[0].dataset, "Area") == []
    assert "0.00 ml" not in texts(made[0].dataset)
    assert faults_of(Expected(made, run, SEGMENTS, series)) == []
