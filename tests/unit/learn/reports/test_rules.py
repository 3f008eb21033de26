"""The lexicons in the box: what a radiologist's sentence says of a finding, in English and in Japanese."""

from collections.abc import Mapping

import pytest

from dicomnode.learn.reports.facts import Status
from dicomnode.learn.reports.labeler import labeler

PRESENT, ABSENT, UNCERTAIN = Status.PRESENT, Status.ABSENT, Status.UNCERTAIN


def said(name: str, text: str) -> Mapping[str, Status]:
    """What a text mentions."""
    return {fact.finding: fact.status for fact in labeler(name).facts(text) if fact.status is not Status.UNMENTIONED}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Small left pleural effusion.", {"pleural effusion": PRESENT}),
        ("No pneumothorax or pleural effusion.", {"pneumothorax": ABSENT, "pleural effusion": ABSENT}),
        ("Pneumothorax is not seen.", {"pneumothorax": ABSENT}),
        ("A small pneumothorax cannot be excluded.", {"pneumothorax": UNCERTAIN}),
        ("Cannot exclude a rib fracture.", {"fracture": UNCERTAIN}),
        ("Pneumonia?", {"pneumonia": UNCERTAIN}),
        ("No change in the left pleural effusion.", {"pleural effusion": PRESENT}),
        ("No edema, but cardiomegaly is present.", {"edema": ABSENT, "cardiomegaly": PRESENT}),
        ("Cardiomegaly without pulmonary edema.", {"cardiomegaly": PRESENT, "edema": ABSENT}),
        ("Heart size is normal. Borderline heart size.", {"cardiomegaly": UNCERTAIN}),
        ("The heart is mildly enlarged.", {"cardiomegaly": PRESENT}),
        ("Subcutaneous emphysema on the right.", {}),
        ("Nodules in both lungs measuring 3.5 mm. No effusion.", {"nodule": PRESENT, "pleural effusion": ABSENT}),
        ("The patient was seen in the clinic.", {}),
        ("COVID-19 is suspected.", {"covid-19": UNCERTAIN}),
    ],
)
def test_an_english_sentence_says_what_a_radiologist_means(text: str, told: dict[str, Status]) -> None:
    assert said("english", text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("両側胸水を認める。", {"pleural effusion": PRESENT}),
        ("胸水、気胸なし。", {"pleural effusion": ABSENT, "pneumothorax": ABSENT}),
        ("明らかな結節は指摘できない。", {"nodule": ABSENT}),
        ("肺炎は否定できない。", {"pneumonia": UNCERTAIN}),
        ("肺炎を疑う所見は認めない。", {"pneumonia": ABSENT}),
        ("胸水は前回と変化なし。", {"pleural effusion": PRESENT}),
        ("心拡大を認めるが、気胸は認めない。", {"cardiomegaly": PRESENT, "pneumothorax": ABSENT}),
        ("肋骨骨折の既往。", {}),
        ("ﾌﾞﾗあり。", {"emphysema": PRESENT}),
        ("胸水？", {"pleural effusion": UNCERTAIN}),
        ("COVID-19肺炎として矛盾しない。", {"pneumonia": PRESENT, "covid-19": PRESENT}),
    ],
)
def test_a_japanese_sentence_says_what_a_radiologist_means(text: str, told: dict[str, Status]) -> None:
    assert said("japanese", text) == told


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("english", "INDICATION: pneumonia?\nCOMPARISON: effusion in May.\nFINDINGS: Small pneumothorax."),
        ("japanese", "【依頼目的】肺炎疑い\n【既往歴】胸水\n【所見】\n少量の気胸を認める。"),
    ],
)
def test_history_indication_and_comparison_are_not_counted(name: str, text: str) -> None:
    assert said(name, text) == {"pneumothorax": PRESENT}


def test_evidence_is_a_place_in_the_text_as_it_came() -> None:
    text = "軽度の心拡大。ﾌﾞﾗを認める。"  # half-width letters are two characters in the text and one when read

    facts = {fact.finding: fact for fact in labeler("japanese").facts(text)}

    (span,) = facts["emphysema"].evidence
    assert text[span.start : span.end] == "ﾌﾞﾗ"


def test_a_lexicon_reads_its_own_language_alone() -> None:
    assert labeler("japanese").reads("胸水なし")
    assert not labeler("japanese").reads("No effusion.")
    assert labeler("english").reads("No effusion.")


def test_the_japanese_lexicon_says_that_it_is_unmeasured() -> None:
    assert labeler("japanese").lexicon.standing.startswith("Unmeasured")


def test_a_long_text_without_sentences_is_read_in_time() -> None:
    assert said("english", "x" * 200_000) == {}
    assert said("english", "no " * 10_001 + "effusion") == {"pleural effusion": ABSENT}
