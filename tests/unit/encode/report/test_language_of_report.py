from pathlib import Path

from pydicom import Dataset

from dicomnode.encode.door import require_valid
from dicomnode.encode.results import could_not_analyse, encode_results
from dicomnode.values import Role, Volume
from tests.phantom import mr_series
from tests.unit.encode.examples import MADE_AT, SEGMENTS, node_of, run_of, segmented, stacked, stored, texts, two_boxes

NAMES = {"de": {"Anterior hippocampus": "Vorderer Hippocampus"}}
RULES = SEGMENTS.model_copy(update={"translations": NAMES})


def report_in(language: str, folder: Path) -> Dataset:
    """The report of two boxes at a site of one language, after the door."""
    images = mr_series()
    study, series = stored(images, folder)
    volume: Volume = stacked(images, series)
    node = node_of(folder).model_copy(update={"language": language})
    run = run_of(study)
    made = encode_results(run, series, volume, segmented(two_boxes(volume.voxels.shape)), RULES, node, MADE_AT)
    require_valid(made, run, series, RULES)
    return next(one.dataset for one in made if one.role is Role.SR)


def language_of(item: Dataset) -> str:
    """Language of Content Item and Descendants (121049, DCM) directly below an item."""
    below = [i for i in item.get("ContentSequence", ()) if i.ConceptNameCodeSequence[0].CodeValue == "121049"]
    return str(below[0].ConceptCodeSequence[0].CodeValue) if below else ""


def test_the_summary_is_in_the_language_of_the_site(tmp_path: Path) -> None:
    assert "Vorderer Hippocampus: Volumen 0,01 ml, größter Durchmesser 4 mm." in texts(report_in("de", tmp_path))


def test_the_document_says_its_language(tmp_path: Path) -> None:
    assert language_of(report_in("ja", tmp_path)) == "ja"


def test_a_sentence_that_is_known_in_english_alone_says_so(tmp_path: Path) -> None:
    (evaluations,) = [
        i for i in report_in("ja", tmp_path).ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "C0034375"
    ]
    languages = {str(i.TextValue): language_of(i) for i in evaluations.ContentSequence if i.ValueType == "TEXT"}

    assert languages["Position within the head not verified."] == "en"
    assert languages["各構造の輪郭は、断面積が最大となるスライスに表示しています。"] == ""


def test_code_meanings_stay_english(tmp_path: Path) -> None:
    title = report_in("ja", tmp_path).ConceptNameCodeSequence[0].CodeMeaning

    assert title == "Imaging Measurement Report"


def test_the_reason_of_an_analysis_that_failed_is_in_the_language_of_the_site(tmp_path: Path) -> None:
    study, series = stored(mr_series(), tmp_path)
    node, reason = node_of(tmp_path).model_copy(update={"language": "de"}), "instance 1.2.3 has no pixel data"

    (report,) = could_not_analyse(run_of(study), series, reason, SEGMENTS, node, MADE_AT)

    assert "Auswertung nicht möglich: Instanz 1.2.3 enthält keine Bilddaten. Für diese Studie" in texts(report.dataset)
