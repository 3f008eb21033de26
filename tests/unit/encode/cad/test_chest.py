"""Chest CAD SR: what a chest workstation reads (PS3.16 TID 4100), and on which images there is none."""

from pathlib import Path

import pytest
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.cad.findings import chest_finding
from dicomnode.encode.door.items import children, concept
from dicomnode.encode.shown import Shown
from dicomnode.encode.tracking import Tracking
from dicomnode.values import Lesion, Role
from tests.phantoms.sources import source
from tests.unit.encode.cad.made import (
    ANALYSES,
    CHEST,
    DETECTIONS,
    LIBRARY,
    NODULE,
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
)
from tests.unit.encode.examples import ANATOMY, FINDINGS, HIPPOCAMPUS, Example, classified
from tests.unit.encode.placed import door_says

RULES = detector(NODULE, site=CHEST)
LESION = Lesion.of(0, 0.75, ((2, 3), (6, 10), (4, 12)))
"""In slice 2, rows 6 to 10, columns 4 to 12, of 0.75 mm."""


@pytest.fixture(scope="module")
def on_ct(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return made("axial CT", tmp_path_factory.mktemp("ct"), RULES, found(LESION))


@pytest.fixture(scope="module")
def report(on_ct: Example) -> Dataset:
    return report_of(on_ct)


def test_it_is_a_chest_cad_sr_after_tid_4100(report: Dataset) -> None:
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.65"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "4100"
    assert [concept(item) for item in report.ContentSequence] == [
        "121049/DCM",
        LIBRARY,
        PROCESSING,
        DETECTIONS,
        ANALYSES,
    ]


def test_a_nodule_is_an_abnormal_opacity(report: Dataset) -> None:
    (finding,) = findings_of(report)

    assert finding.ConceptCodeSequence[0].CodeValue == "112033"
    assert told(finding, "112024/DCM") == [f"{NODULE.value}/SCT"]


def test_a_finding_lies_on_its_slice(on_ct: Example, report: Dataset) -> None:
    (finding,) = findings_of(report)
    (library,) = children(report, LIBRARY)
    uids = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in library.ContentSequence]

    assert points(finding, "111010/DCM") == [(8.0, 8.0)]
    assert uids == [on_ct.volume.frames[2].sop_instance_uid]


def test_a_finding_is_measured_in_mm(report: Dataset) -> None:
    (finding,) = findings_of(report)
    (diameter,) = children(finding, "81827009/SCT")
    measured = diameter.MeasuredValueSequence[0]

    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (6.0, "mm")


def test_a_detection_in_a_stack_names_its_series(on_ct: Example, report: Dataset) -> None:
    (summary,) = children(report, DETECTIONS)
    (detection,) = children(children(summary, "111063/DCM")[0], "111022/DCM")

    assert [item.UID for item in children(detection, "112002/DCM")] == [on_ct.series.series_uid]


def test_the_door_lets_it_pass(on_ct: Example) -> None:
    assert door_says(on_ct) == []


def test_a_finding_in_a_multi_frame_image_names_its_frame(tmp_path: Path) -> None:
    (image,) = source("enhanced MR")
    image.Modality, image.BodyPartExamined = "CT", "CHEST"
    example = made("enhanced MR", tmp_path, RULES, found(LESION), images=[image])

    (library,) = children(report_of(example), LIBRARY)
    (entry,) = library.ContentSequence
    assert entry.ReferencedSOPSequence[0].ReferencedFrameNumber == example.volume.frames[2].frame_number


def test_a_radiograph_is_listed_with_its_view_and_no_side(tmp_path: Path) -> None:
    (library,) = children(report_of(made("DX", tmp_path, FINDINGS, classified(0.9))), LIBRARY)
    (image,) = library.ContentSequence

    assert told(image, "111031/DCM") == ["399348003/SCT"]
    assert told(image, "111027/DCM") == []  # Image Laterality U: unpaired


def test_a_finding_that_chest_cad_has_no_code_for_keeps_its_own(tmp_path: Path) -> None:
    (finding,) = findings_of(report_of(made("DX", tmp_path, FINDINGS, classified(0.9))))

    assert finding.ConceptCodeSequence[0].CodeValue == "233604007"
    assert told(finding, "112024/DCM") == []


def test_a_finding_has_its_configured_site_and_side(tmp_path: Path) -> None:
    left = Code(value="7771000", scheme="SCT", meaning="Left")
    sided = FINDINGS.findings[0].model_copy(update={"laterality": left})
    rules = FINDINGS.model_copy(update={"findings": (sided,)})

    example = made("DX", tmp_path, rules, classified(0.9))

    (finding,) = findings_of(report_of(example))
    assert (told(finding, "112013/DCM"), told(finding, "272741003/SCT")) == (["39607008/SCT"], ["7771000/SCT"])
    assert door_says(example) == []


def test_a_finding_without_a_configured_side_has_none(tmp_path: Path) -> None:
    (finding,) = findings_of(report_of(made("DX", tmp_path, FINDINGS, classified(0.9))))

    assert told(finding, "272741003/SCT") == []


def test_an_organ_is_anatomy_and_no_lesion() -> None:
    organ = Shown(Tracking("Hippocampus", "1.2.3"), HIPPOCAMPUS, category=ANATOMY)

    general, modifier = chest_finding(organ)

    assert (general.value, modifier and modifier.value) == ("112005", HIPPOCAMPUS.value)


@pytest.mark.parametrize(
    ("code", "general"),
    [(("4147007", "SCT"), "112033"), (("112073", "DCM"), "112062"), (("112109", "DCM"), "112061")],
)
def test_each_family_of_findings_has_its_general_code(code: tuple[str, str], general: str) -> None:
    shown = Shown(Tracking("it", "1.2.3"), Code(value=code[0], scheme=code[1], meaning="it"))

    assert chest_finding(shown)[0].value == general


def test_a_ct_without_findings_lists_no_image_but_its_series(tmp_path: Path) -> None:
    example = made("axial CT", tmp_path, RULES, found())
    report = report_of(example)

    assert children(report, LIBRARY) == []
    assert told(report, PROCESSING) == ["111241/DCM"]
    assert performed(report, "111063/DCM") == [f"{NODULE.value}/SCT"]
    assert door_says(example) == []


def test_what_could_not_be_analysed_failed(tmp_path: Path) -> None:
    example = not_made("axial CT", tmp_path, "no series is a crop of 80 mm or less")

    assert told(report_of(example), DETECTIONS) == ["111224/DCM"]
    assert door_says(example) == []


def test_images_of_neither_breast_nor_chest_have_no_cad_report(tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"series": RULES.series.model_copy(update={"modalities": ("MR",)})})

    assert [one.role for one in made("oblique MR", tmp_path, rules, found()).made] == [Role.SR]


def test_a_run_that_makes_nothing_else_does_not_end_with_nothing(tmp_path: Path) -> None:
    rules = RULES.model_copy(update={"series": RULES.series.model_copy(update={"modalities": ("MR",)})})

    example = made("oblique MR", tmp_path, rules, found(), objects=(Role.CAD_SR,))

    assert example.made == ()
    assert any("no object that tells the answer" in fault for fault in door_says(example))


def test_a_cad_report_alone_tells_the_answer(tmp_path: Path) -> None:
    assert door_says(made("DX", tmp_path, FINDINGS, classified(0.9), objects=(Role.CAD_SR,))) == []
