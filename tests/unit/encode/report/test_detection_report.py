"""What a radiologist and a viewer find in the report of a detection."""

from pathlib import Path

import pytest
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Code, Finding, Kind
from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, code_text, groups, meaning, tracking_of
from dicomnode.encode.results import MAKERS, encode_results
from dicomnode.errors import ModelFault
from dicomnode.summary import summary_of
from dicomnode.values import Detection, DomainAnswer, Lesion, Prediction, Role
from tests.phantom import OBLIQUE, ct_series, dx_image
from tests.unit.encode.examples import (
    FINDINGS,
    INSIDE,
    MADE_AT,
    Example,
    coded_answers,
    figures_of,
    flat,
    node_of,
    run_of,
    stacked,
    stored,
    texts,
)

NODULE = Finding(
    index=0,
    concept=Code(value="427359005", scheme="SCT", meaning="Solitary nodule of lung"),
    site=Code(value="39607008", scheme="SCT", meaning="Lung"),
    threshold=0.5,
)
MASS = Finding(index=1, concept=Code(value="309529002", scheme="SCT", meaning="Lung mass"), threshold=0.5)
RULES = FINDINGS.model_copy(
    update={
        "model": FINDINGS.model.model_copy(update={"kind": Kind.DETECTION, "title": "Lung nodules"}),
        "findings": (NODULE, MASS),
    }
)
LARGE = Lesion(0, 0.93, ((1.0, 4.0), (1.5, 4.5), (2.0, 6.0)))
SMALL = Lesion(0, 0.61, ((3.0, 4.0), (0.0, 1.0), (0.0, 1.0)))


def detected(
    folder: Path, *lesions: Lesion, domain: DomainAnswer = INSIDE, objects: tuple[Role, ...] = (Role.SEG, Role.SR)
) -> Example:
    """The results of a CT of 0.5 × 0.75 × 5 mm."""
    images = ct_series(pixel_mm=(0.5, 0.75), spacing_mm=5.0, orientation=OBLIQUE)
    study, series = stored(images, folder)
    volume, run = stacked(images, series), run_of(study, RULES)
    prediction = Prediction(Detection(lesions), domain, "cpu")
    made = encode_results(run, series, volume, prediction, RULES, node_of(folder), MADE_AT, objects=objects)
    return Example(run, series, volume, None, made, RULES)  # type: ignore[arg-type] (a detection has no labels)


def region_of(group: Dataset) -> Dataset:
    (region,) = children(group, "111030/DCM")
    return region


def test_each_lesion_is_drawn_on_its_middle_slice_where_it_lies(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, SMALL)

    large, small = groups(example.report)[:2]

    # columns 2 to 6, rows 1.5 to 4.5; slices 1 to 4: the middle one is index 2
    assert list(region_of(large).GraphicData) == [2, 1.5, 6, 1.5, 6, 4.5, 2, 4.5, 2, 1.5]
    pictures = [region_of(group).ContentSequence[0].ReferencedSOPSequence[0] for group in (large, small)]
    frames = example.volume.frames
    assert [one.ReferencedSOPInstanceUID for one in pictures] == [frames[k].sop_instance_uid for k in (2, 3)]


def test_each_lesion_has_its_diameter_probability_threshold_code_and_site(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE)
    group = groups(example.report)[0]

    # 4 columns of 0.75 mm, 3 rows of 0.5 mm
    assert figures_of(example.report, "Diameter") == [3.0]
    assert figures_of(example.report, "Short Axis") == [1.5]
    assert figures_of(example.report, "Probability") == [0.93]
    assert figures_of(example.report, "Decision threshold") == [0.5]
    assert [code_text(item, "ConceptCodeSequence") for item in children(group, "121071/DCM")] == ["427359005/SCT"]
    assert [code_text(item, "ConceptCodeSequence") for item in children(group, "363698007/SCT")] == ["39607008/SCT"]


def test_what_was_found_and_what_was_looked_for_is_said_in_words(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, SMALL)

    assert (
        "AI result, not verified by a physician. Solitary nodule of lung: 2 found. "
        "Solitary nodule of lung 1: probability 93 %, diameter 3 mm. "
        "Solitary nodule of lung 2: probability 61 %, diameter 1 mm. "
        "Looked for and not found: Lung mass. "
    ) in texts(example.report)
    assert "Findings below the decision threshold of 50 % are not given." in texts(example.report)


def test_a_lesion_keeps_its_tracking_uid_whatever_its_number(tmp_path: Path) -> None:
    both, one = detected(tmp_path / "both", LARGE, SMALL), detected(tmp_path / "one", SMALL)

    first, second = (tracking_of(group) for group in groups(both.report)[:2])
    alone = tracking_of(groups(one.report)[0])
    assert (first[0], second[0], alone[0]) == (
        "Solitary nodule of lung 1",
        "Solitary nodule of lung 2",
        "Solitary nodule of lung 1",
    )
    assert alone[1] == second[1] != first[1]


def test_nothing_found_lists_what_was_looked_for(tmp_path: Path) -> None:
    example = detected(tmp_path)

    assert "Nothing found. Looked for and not found: Solitary nodule of lung, Lung mass." in texts(example.report)
    assert [tracking_of(group)[0] for group in groups(example.report)] == ["Solitary nodule of lung", "Lung mass"]
    assert coded_answers(example.report)["Presence of property"] == "Absent"


def test_outside_the_evaluated_domain_no_lesion_is_given(tmp_path: Path) -> None:
    outside = DomainAnswer(inside=False, reasons=("age unknown",))

    example = detected(tmp_path, LARGE, domain=outside)

    assert figures_of(example.report, "Probability") == []
    assert "No finding is given, because" in texts(example.report)
    assert coded_answers(example.report)["Suitability of the input"] == "Outside the evaluated domain"


@pytest.mark.parametrize("lesions", [(), (LARGE,), (LARGE, SMALL)], ids=len)
@pytest.mark.parametrize("role", [Role.SR, Role.SR_OHIF])
def test_the_door_lets_every_detection_pass(lesions: tuple[Lesion, ...], role: Role, tmp_path: Path) -> None:
    example = detected(tmp_path, *lesions, objects=(Role.SEG, role))

    assert [one.role for one in example.made] == [role]
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def test_every_kind_of_object_takes_a_detection(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, SMALL, objects=tuple(role for role, _ in MAKERS))

    assert {Role.SR, Role.SR_OHIF, Role.KOS} <= {one.role for one in example.made}
    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []


def test_for_ohif_the_box_stands_within_its_area(tmp_path: Path) -> None:
    report = detected(tmp_path, LARGE, objects=(Role.SR_OHIF,)).read(Role.SR_OHIF)

    area = next(item for item in groups(report)[0].ContentSequence if item.ValueType == "NUM")
    assert (meaning(area), figures_of(report, "Area")) == ("Area", [4.5])
    assert area.ContentSequence[0].GraphicType == "POLYLINE"


def test_in_a_radiograph_a_lesion_is_drawn_and_not_measured(tmp_path: Path) -> None:
    image = dx_image()
    study, series = stored([image], tmp_path)
    volume, run = flat(image, series), run_of(study, RULES)
    lesion = Lesion(1, 0.7, ((0.0, 1.0), (1.0, 3.0), (1.0, 4.0)))
    prediction = Prediction(Detection((lesion,)), INSIDE, "cpu")

    made = encode_results(run, series, volume, prediction, RULES, node_of(tmp_path), MADE_AT)

    assert list(region_of(groups(made[0].dataset)[0]).GraphicData) == [1, 1, 4, 1, 4, 3, 1, 3, 1, 1]
    assert figures_of(made[0].dataset, "Diameter") == []
    assert "Lung mass 1: probability 70 %." in texts(made[0].dataset)
    assert faults_of(Expected(made, run, RULES, series)) == []


def test_a_label_that_dicom_toml_does_not_describe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFault, match="label 7"):
        detected(tmp_path, Lesion(7, 0.9, LARGE.box))


def test_the_table_of_runs_says_how_many_and_how_probable(tmp_path: Path) -> None:
    example = detected(tmp_path, LARGE, SMALL)
    prediction = Prediction(Detection((LARGE, SMALL)), INSIDE, "cpu")

    said = summary_of(RULES, example.volume, prediction)

    assert said == {"Solitary nodule of lung": "2: 93 %, 61 %", "Lung mass": "none"}
