"""Mammography CAD SR: what a mammography workstation reads (PS3.16 TID 4000)."""

from pathlib import Path

import pytest
from pydicom import Dataset

from dicomnode.encode.door.cad_tree import item_at
from dicomnode.encode.door.items import children, concept, groups, tracking_of
from dicomnode.values import Lesion, Predecessor
from tests.phantom import uid
from tests.phantoms.sources import source
from tests.unit.encode.cad.made import (
    ANALYSES,
    CALCIFICATIONS,
    DETECTIONS,
    LIBRARY,
    MASS,
    OUTSIDE,
    PROCESSING,
    detector,
    findings_of,
    found,
    made,
    not_made,
    performed,
    points,
    report_of,
    told,
    words,
)
from tests.unit.encode.examples import FINDINGS, Example, classified
from tests.unit.encode.placed import door_says

BOX = Lesion.of(0, 0.875, ((0, 1), (10, 20), (4, 12)))
"""A mass in rows 10 to 20 and columns 4 to 12 of 48 rows and 40 columns."""
RULES = detector(MASS, CALCIFICATIONS)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return made("MG", tmp_path_factory.mktemp("mg"), RULES, found(BOX))


@pytest.fixture(scope="module")
def report(marked: Example) -> Dataset:
    return report_of(marked)


def test_it_is_a_mammography_cad_sr_after_tid_4000(report: Dataset) -> None:
    assert report.SOPClassUID == report.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.88.50"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "4000"
    assert [concept(item) for item in report.ContentSequence] == [
        "121049/DCM",
        LIBRARY,
        PROCESSING,
        DETECTIONS,
        ANALYSES,
    ]


def test_the_library_says_of_the_image_what_the_image_says(report: Dataset) -> None:
    (library,) = children(report, LIBRARY)
    (image,) = library.ContentSequence

    assert told(image, "111027/DCM") == ["80248007/SCT"]  # left breast: Image Laterality L
    assert told(image, "111031/DCM") == ["399162004/SCT"]  # cranio-caudal
    spacing = [float(item.MeasuredValueSequence[0].NumericValue) for item in children(image, "111026/DCM")]
    assert spacing == [0.1]


def test_what_an_image_states_badly_is_left_out(tmp_path: Path) -> None:
    (image,) = source("MG")
    image.PatientOrientation, image.PositionerPrimaryAngle = "AR", None
    del image.ViewCodeSequence[0].CodeMeaning
    example = made("MG", tmp_path, RULES, found(BOX), images=[image])

    (library,) = children(report_of(example), LIBRARY)
    (entry,) = library.ContentSequence
    assert {concept(item) for item in entry.ContentSequence} & {"111031/DCM", "111044/DCM", "112011/DCM"} == set()
    assert door_says(example) == []


def test_a_finding_has_its_center_and_outline_on_its_image(report: Dataset) -> None:
    (finding,) = findings_of(report)

    assert finding.ConceptCodeSequence[0].CodeValue == MASS.value
    assert points(finding, "111010/DCM") == [(8.0, 15.0)]
    assert points(finding, "111041/DCM") == [(4, 10), (12, 10), (12, 20), (4, 20), (4, 10)]


def test_a_place_refers_to_the_image_in_the_library(report: Dataset) -> None:
    (finding,) = findings_of(report)
    (center,) = children(finding, "111010/DCM")
    (reference,) = center.ContentSequence
    (library,) = children(report, LIBRARY)

    assert reference.RelationshipType == "SELECTED FROM"
    assert list(reference.ReferencedContentItemIdentifier) == [1, 2, 1]
    assert item_at(report, reference) is library.ContentSequence[0]


def test_a_finding_is_to_be_shown_with_its_certainty_and_threshold(report: Dataset) -> None:
    (finding,) = findings_of(report)
    (certainty,) = children(finding, "111012/DCM")
    measured = certainty.MeasuredValueSequence[0]

    assert told(finding, "111056/DCM") == ["111150/DCM"]  # presentation required
    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (87.5, "%")
    assert "Decision threshold: 50 %" in words(report)


def test_a_finding_is_tracked_as_in_the_sr(marked: Example, report: Dataset) -> None:
    (finding,) = findings_of(report)

    assert tracking_of(finding) in [tracking_of(group) for group in groups(marked.report)]


def test_both_summaries_say_what_was_looked_for(report: Dataset) -> None:
    assert told(report, PROCESSING) == ["111242/DCM"]  # with findings
    assert told(report, DETECTIONS) == ["111222/DCM"]  # succeeded
    assert performed(report, "111063/DCM") == [f"{MASS.value}/SCT", f"{CALCIFICATIONS.value}/SCT"]
    assert told(report, ANALYSES) == ["111225/DCM"]  # not attempted


def test_nothing_found_is_a_success_without_findings(tmp_path: Path) -> None:
    report = report_of(made("MG", tmp_path, RULES, found()))

    assert told(report, PROCESSING) == ["111241/DCM"]
    assert told(report, DETECTIONS) == ["111222/DCM"]
    assert findings_of(report) == []


def test_outside_the_evaluated_domain_no_detection_succeeded(tmp_path: Path) -> None:
    report = report_of(made("MG", tmp_path, RULES, found(domain=OUTSIDE)))

    assert told(report, PROCESSING) == ["111245/DCM"]
    assert told(report, DETECTIONS) == ["111224/DCM"]
    assert any("lie outside the domain the model was evaluated on" in said for said in words(report))


def test_what_could_not_be_analysed_failed_and_says_why(tmp_path: Path) -> None:
    report = report_of(not_made("MG", tmp_path, "no series is a crop of 80 mm or less"))

    assert told(report, PROCESSING) == ["111245/DCM"]
    assert performed(report, "111025/DCM") == ["233604007/SCT"]
    assert any("No series is a crop of 80 mm or less" in said for said in words(report))


def test_every_mammogram_of_a_study_that_could_not_be_analysed_is_listed_with_its_side(tmp_path: Path) -> None:
    example = not_made("MG", tmp_path, "no series is a crop of 80 mm or less", side="R")

    (library,) = children(report_of(example), LIBRARY)
    assert [told(image, "111027/DCM") for image in library.ContentSequence] == [["80248007/SCT"], ["73056007/SCT"]]
    assert door_says(example) == []


def test_a_finding_of_the_whole_image_is_optional_to_show(tmp_path: Path) -> None:
    (finding,) = findings_of(report_of(made("MG", tmp_path, FINDINGS, classified(0.9))))

    assert told(finding, "111056/DCM") == ["111151/DCM"]
    assert points(finding, "111041/DCM") == [(0, 0), (40, 0), (40, 48), (0, 48), (0, 0)]


def test_an_absent_finding_is_not_for_presentation(tmp_path: Path) -> None:
    report = report_of(made("MG", tmp_path, FINDINGS, classified(0.1)))

    assert told(findings_of(report)[0], "111056/DCM") == ["111152/DCM"]
    assert told(report, PROCESSING) == ["111241/DCM"]  # without findings


def test_the_door_lets_it_pass(marked: Example) -> None:
    assert door_says(marked) == []


def test_a_revision_names_every_cad_report_it_replaces(tmp_path: Path) -> None:
    earlier = Predecessor(uid("series 1"), "1.2.840.10008.5.1.4.1.1.88.50", uid("report 1"))
    example = made("MG", tmp_path, RULES, found(BOX), predecessors=(earlier,))

    (study,) = report_of(example).PredecessorDocumentsSequence
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid("report 1")
    assert door_says(example) == []


def test_encoding_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first = made("MG", tmp_path, RULES, found(BOX))
    again = made("MG", tmp_path, RULES, found(BOX))

    assert [one.content for one in first.made] == [one.content for one in again.made]
