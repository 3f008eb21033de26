"""What a radiologist finds in the report of a classification."""

from pathlib import Path

from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, groups, tracking_of, tree
from dicomnode.encode.results import encode_results
from dicomnode.values import DomainAnswer
from tests.phantom import dx_image
from tests.unit.encode.examples import (
    FINDINGS,
    MADE_AT,
    classification_results,
    classified,
    coded_answers,
    figures_of,
    flat,
    node_of,
    run_of,
    stored,
    texts,
)

OUTSIDE = DomainAnswer(inside=False, reasons=("the patient is 56 years old; the model was evaluated on 1 to 5 years",))


def test_a_finding_has_its_probability_threshold_and_uncertainty(tmp_path: Path) -> None:
    report = classification_results(tmp_path, classified(0.91)).report

    assert figures_of(report, "Probability") == [0.91]
    assert figures_of(report, "Decision threshold") == [0.4]
    assert figures_of(report, "+, range of upper measurement uncertainty") == [0.05]
    assert coded_answers(report)["Presence of property"] == "Present"
    assert coded_answers(report)["Suitability of the input"] == "Within the evaluated domain"


def test_the_summary_says_it_in_words(tmp_path: Path) -> None:
    report = classification_results(tmp_path, classified(0.91)).report

    assert (
        "AI result, not verified by a physician. Pneumonia: suspected, probability 91 ± 5 %, "
        "at or above the decision threshold of 40 %. Examined: DX series 'DX 1', 1 image."
    ) in texts(report)


def test_below_the_threshold_nothing_was_found(tmp_path: Path) -> None:
    report = classification_results(tmp_path, classified(0.1)).report

    assert "Nothing found. Pneumonia: not suspected, probability 10 ± 5 %, below" in texts(report)
    assert coded_answers(report)["Presence of property"] == "Absent"


def test_outside_the_evaluated_domain_there_is_no_probability_and_the_reason_is_told(tmp_path: Path) -> None:
    report = classification_results(tmp_path, classified(0.91, OUTSIDE)).report

    assert figures_of(report, "Probability") == []
    assert "91" not in texts(report)
    assert "The patient is 56 years old; the model was evaluated on 1 to 5 years." in texts(report)
    assert "Presence of property" not in coded_answers(report)
    assert coded_answers(report)["Suitability of the input"] == "Outside the evaluated domain"


def test_the_research_override_shows_the_probability_and_marks_it(tmp_path: Path) -> None:
    overridden = DomainAnswer(inside=False, reasons=OUTSIDE.reasons, overridden=True)
    report = classification_results(tmp_path, classified(0.91, overridden)).report

    assert figures_of(report, "Probability") == [0.91]
    assert "Research use only." in texts(report)
    assert coded_answers(report)["Suitability of the input"] == "Outside the evaluated domain: research use"


def test_it_is_titled_so_that_viewers_show_it_as_text(tmp_path: Path) -> None:
    report = classification_results(tmp_path, classified(0.91)).report

    assert report.ConceptNameCodeSequence[0].CodeMeaning == "AI result, not verified"


def test_a_radiograph_gets_no_seg_and_its_report_names_the_image(tmp_path: Path) -> None:
    example = classification_results(tmp_path, classified(0.91))

    assert len(example.made) == 1
    assert images_of(groups(example.report)[0]) == [example.series.instances[0].sop_instance_uid]
    assert children(example.report, "126010/DCM")


def images_of(group: Dataset) -> list[str]:
    images = [item for _, item in tree(group) if item.ValueType == "IMAGE"]
    return [str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for item in images]


def test_a_score_is_of_the_finding_at_its_position_whatever_column_that_is_of_and_on_its_side(tmp_path: Path) -> None:
    left = Code(value="7771000", scheme="SCT", meaning="Left")
    finding = FINDINGS.findings[0].model_copy(update={"index": 1, "laterality": left})
    rules = FINDINGS.model_copy(update={"findings": (finding,)})
    image = dx_image()
    study, series = stored([image], tmp_path)
    run = run_of(study, rules)

    made = encode_results(run, series, flat(image, series), classified(0.91), rules, node_of(tmp_path), MADE_AT)

    report = made[0].dataset
    assert tracking_of(groups(report)[0])[0] == "Pneumonia, left"
    assert "Pneumonia, left: suspected, probability 91" in texts(report)
    assert coded_answers(report)["Laterality"] == "Left"
    assert faults_of(Expected(made, run, rules, series)) == []
