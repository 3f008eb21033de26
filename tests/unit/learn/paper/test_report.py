"""The report on a candidate."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.learn.paper.report import html
from dicomnode.learn.paper.told import Told, card_of
from dicomnode.learn.values import Verdict
from tests import candidates_made as made

VOID = {"meta", "br", "img", "line", "path", "rect", "circle", "polyline", "polygon"}
HOSTILE = "<script>alert('x')</script>&\"'"


class Checked(HTMLParser):
    """Tags must nest and close; ids must be unique; nothing may be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attrs:
            assert not name.startswith("on"), f"{name} would run"
            assert name not in ("src", "href") or (value or "").startswith("data:image/png;base64,")
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


def checked(told: Told) -> str:
    """What a reader sees, after the checks that hold for every report."""
    page = html(told)
    parser = Checked()
    parser.feed(page.removeprefix("<!DOCTYPE html>"))
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids)) == 12
    assert not re.search(r"https?:|url\(|@import", page)
    text = re.sub(r"\s+", " ", " ".join(parser.text))
    assert not re.search(r"\b(nan|NaN|None|inf|Undefined|Estimate)\b", text)
    return text


@pytest.fixture(scope="module")
def ordinary() -> Told:
    """A candidate on 120 images."""
    return made.told(made.classification(120), pictures=2)


def test_a_report_tells_the_verdict_first_what_it_means_and_what_a_person_must_do(ordinary: Told) -> None:
    text = checked(replace(ordinary, judgement=replace(ordinary.judgement, verdict=Verdict.PROMOTE)))

    assert text.index("PROMOTE") < text.index("What a person must now do") < text.index("Key figures")
    assert 'dicomnode models promote chest 1.0.0+learned.2 --by "…" --reason "…"' in text
    assert text.count("Label: present. Candidate: 0.94.") == 2


def test_a_report_says_who_promotes_a_person_or_the_node_itself(ordinary: Told) -> None:
    promoted = replace(ordinary, judgement=replace(ordinary.judgement, verdict=Verdict.PROMOTE))
    person, node = checked(promoted), checked(replace(promoted, automatic=True))

    assert "promotion by a named person only" in person
    assert "nothing changes until a named person promotes it" in person
    assert "named person" not in node
    assert "it comes in use by itself when its shadow period ends (200 studies or 14 days)" in node


def test_a_report_says_that_too_few_patients_and_not_the_benefit_are_in_the_way_of_a_promotion(ordinary: Told) -> None:
    g2 = [replace(rule, passed=True) if rule.rule == "G2" else rule for rule in ordinary.judgement.rules]
    proven = replace(ordinary, judgement=replace(ordinary.judgement, verdict=Verdict.SHADOW, rules=tuple(g2)))
    few = replace(proven, evidence=replace(proven.evidence, warnings=("Too few for a verdict",)))

    assert "made from too few patients for a verdict" in checked(few)
    assert "no declared benefit was proven" in checked(proven)


def test_a_report_says_that_the_recipe_plain_is_another_network(ordinary: Told) -> None:
    tuned, plain = checked(ordinary), checked(replace(ordinary, evidence=replace(ordinary.evidence, recipe="plain")))

    assert "outputs, architecture of the network." in tuned
    assert "architecture of the network" not in plain
    assert "The network itself, its architecture with it" in plain
    assert "fine-tuned" not in plain.lower()


def test_a_report_says_that_the_recipe_scratch_has_nothing_of_the_base(ordinary: Told) -> None:
    text = checked(replace(ordinary, evidence=replace(ordinary.evidence, recipe="scratch")))

    assert "fine-tuned from the approved baseline" not in text
    assert "Random weights; of the installed bundle everything but its network's weights." in text


def test_every_rule_stands_there_with_every_figure(ordinary: Told) -> None:
    text = checked(ordinary)

    for rule in ordinary.judgement.rules:
        assert rule.words in text
        for name in rule.figures:
            assert name.replace("_", " ").lower() in text.lower()
    for number in range(9):
        assert f"G{number} " in text


def test_a_report_says_where_local_data_alone_does_better_than_what_the_base_gave(ordinary: Told) -> None:
    evidence = ordinary.evidence
    assert evidence.local_only is not None
    swapped = replace(evidence, candidate=evidence.local_only, local_only=evidence.candidate)

    assert "does better from local labels alone" not in checked(ordinary)
    assert "does better from local labels alone: AUC higher by" in checked(replace(ordinary, evidence=swapped))


def test_all_three_arms_stand_beside_one_another_and_a_missing_one_is_said_to_be(ordinary: Told) -> None:
    evidence = made.without(ordinary.evidence, "local_only", "curve", "groups", "retention")

    assert "Local data only the same network trained from random weights" in checked(ordinary)
    bare = checked(replace(ordinary, evidence=evidence))
    assert "was not trained not measured" in bare
    assert "No learning curve was measured" in bare
    assert "no subgroup could be judged" in bare


def test_a_segmentation_is_told_by_the_dice_of_every_case() -> None:
    text = checked(made.told(made.segmentation(40)))

    assert "Anterior: Dice of each case" in text
    assert "Posterior: Dice of each case" in text
    assert "Missed altogether" in text


def test_a_detection_is_told_by_its_froc() -> None:
    assert "FROC, 95 % band" in checked(made.told(made.detection(24)))


def test_several_findings_have_figures_of_their_own() -> None:
    text = checked(made.told(made.classification(60, outputs=("Pneumonia", "Effusion"))))

    assert text.count("ROC, 95 % band") == 2


def test_ten_patients_are_too_few_and_no_group_passes() -> None:
    told = made.told(made.without(made.classification(10), "local_only", "curve", "retention"))

    text = checked(told)

    assert told.judgement.verdict is Verdict.UNDERPOWERED
    assert "This is not a pass" in text
    assert text.count("insufficient data") >= 8


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_class_that_nobody_has_is_told_and_not_drawn(value: float) -> None:
    evidence = made.classification(12)
    arms = {name: replace(getattr(evidence, name), targets=evidence.candidate.targets * 0 + value)
            for name in ("candidate", "in_use", "baseline", "local_only")}  # fmt: skip

    text = checked(made.told(replace(evidence, **arms)))

    assert "too few data" in text
    assert "Too few data to draw this." in text


def test_an_empty_test_set_is_told() -> None:
    nobody = made.nobody()
    evidence = replace(made.without(made.classification(12), "local_only", "curve", "groups", "retention"),
                       candidate=nobody, in_use=nobody, baseline=nobody, calibration=nobody)  # fmt: skip

    assert "The sealed test holds no patient" in checked(made.told(evidence))


def test_hostile_text_is_shown_and_not_run(ordinary: Told) -> None:
    told = ordinary
    card = replace(told.card, title=HOSTILE, intended_use=HOSTILE, outputs=(HOSTILE,), limits=(HOSTILE,))
    groups = {item: {"scanner": HOSTILE} for item in told.evidence.candidate.item_ids}
    rows = made.decisions()
    rows[0].reason = rows[0].by = HOSTILE
    picture = replace(told.gallery[0], words=HOSTILE)
    hostile = replace(
        told, card=card, evidence=replace(told.evidence, groups=groups), decisions=rows, gallery=[picture],
        facts={HOSTILE: HOSTILE}, fitted={HOSTILE: HOSTILE, "trials": [{HOSTILE: HOSTILE}]}, version=HOSTILE,
    )  # fmt: skip

    assert checked(hostile).count("alert('x')") >= 10


def test_nothing_but_counts_is_told_of_patients(ordinary: Told) -> None:
    text = checked(ordinary)

    assert "study1" not in text
    assert "item00" not in text
    assert "two faces in one image" in text
    assert "Sealed test: judged by the gate alone" in text


def test_the_card_comes_from_the_models_own_file() -> None:
    folder = Path(__file__).parents[4] / "models" / "chest_xray_pneumonia"
    card = card_of(load_dicom_toml(folder))

    assert card.kind == "classification"
    assert len(card.outputs) == 1
    assert any("years" in line for line in card.domain)


def test_equal_things_told_give_the_same_bytes(ordinary: Told) -> None:
    assert html(ordinary) == html(ordinary)
