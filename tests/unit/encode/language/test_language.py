import ast
import string
from pathlib import Path

import pytest

import dicomnode.encode
from dicomnode.encode.language import TABLES, heard, joined, number, said

ROOM = Path(dicomnode.encode.__file__).parent


def said_in(path: Path) -> set[str]:
    """Every sentence that a file gives to `say`: a literal, or a constant of the same file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
    strings = {n.value for v in values for n in ast.walk(v) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "say"]
    literals = {c.args[0].value for c in calls if isinstance(c.args[0], ast.Constant)}
    return literals | {words for words in strings if words in TABLES["de"] or words in TABLES["ja"]}


SAID = sorted({words for path in ROOM.rglob("*.py") if path.parent.name != "language" for words in said_in(path)})


def placeholders(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize("language", sorted(TABLES))
def test_every_sentence_of_ours_is_there_in_every_language(language: str) -> None:
    assert [words for words in SAID if words not in TABLES[language]] == []


@pytest.mark.parametrize("language", sorted(TABLES))
def test_a_translation_has_the_placeholders_of_its_sentence(language: str) -> None:
    assert [e for e, t in TABLES[language].items() if placeholders(e) != placeholders(t)] == []


def test_the_tables_hold_the_same_sentences() -> None:
    assert set(TABLES["de"]) == set(TABLES["ja"])


def test_a_japanese_sentence_that_ends_ends_with_a_japanese_stop() -> None:
    assert [e for e, t in TABLES["ja"].items() if e.endswith(".") and not t.endswith("。")] == []


def test_a_sentence_is_said_in_the_language_of_the_site() -> None:
    assert said("de", "Looked for and not found: {names}.", names="A, B") == "Gesucht und nicht gefunden: A, B."
    assert said("en", "Looked for and not found: {names}.", names="A, B") == "Looked for and not found: A, B."


def test_what_another_room_said_in_english_is_recognised_with_its_figures() -> None:
    assert heard("de", "a slice is missing: no image between 2.00 and 6.00 mm along the stack") == (
        "Zwischen 2,00 und 6,00 mm entlang der Normalen fehlt eine Schicht"
    )
    assert heard("ja", "the patient's age is 34 years; evaluated on 1 to 5 years") == (
        "患者の年齢は34歳です（評価範囲は1～5歳）。"
    )


def test_what_no_table_knows_is_left_to_the_caller() -> None:
    assert heard("de", "the moon is full") is None
    assert heard("en", "the moon is full") == "the moon is full"


def test_a_name_of_the_model_comes_from_its_own_translations() -> None:
    names = {"Pneumonia": "Pneumonie"}

    assert heard("de", "saliency map of Pneumonia", names) == "Aufmerksamkeitskarte für Pneumonie"


def test_a_number_has_the_decimal_mark_of_the_language() -> None:
    assert (number("en", 1.25, 1), number("de", 1.26, 1), number("ja", 3.0, 0)) == ("1.2", "1,3", "3")


def test_japanese_sentences_follow_one_another_without_a_space() -> None:
    assert joined("ja", ["一。", "二。"]) == "一。二。"
    assert joined("de", ["Eins.", "Zwei."]) == "Eins. Zwei."
