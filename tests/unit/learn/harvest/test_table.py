"""Labels from tables: every fault at once with its line, and nothing about a patient comes in by mistake."""

import json
from pathlib import Path

import pytest

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.config.learning import Mapping
from dicomnode.errors import ConfigFault
from dicomnode.learn.harvest.meanings import Meanings
from dicomnode.learn.harvest.named import Named
from dicomnode.learn.harvest.table import read_table
from tests.unit.encode.examples import FINDINGS, SEGMENTS
from tests.unit.learn.harvest.labels_made import MODEL

RULES: dict[str, DicomToml] = {MODEL: FINDINGS, "hippocampus": SEGMENTS}


def meanings(*entries: Mapping) -> Meanings:
    return Meanings(entries or (Mapping(model=MODEL, output=0, words=("adjudicated",)),), RULES)


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_line_names_study_model_output_and_value(tmp_path: Path) -> None:
    file = table(tmp_path, "study_uid,model,output,value,who,made,unaided\n"
                 "1.2.3,chest_xray,0,present,Reader^One,2026-03-04T10:00:00+00:00,yes\n"
                 "1.2.4,chest_xray,Pneumonia,no,,,\n")  # fmt: skip

    found = read_table(file, meanings(), "importer")

    assert found.faults == ()
    assert [(one.study_uid, one.output, one.value, one.who, one.assisted) for one in found.labels] == [
        ("1.2.3", 0, 1.0, "Reader^One", False), ("1.2.4", 0, 0.0, "importer", None),
    ]  # fmt: skip
    assert found.labels[0].made_s == 1772618400.0


def test_a_line_may_name_the_patient_whose_study_it_means(tmp_path: Path) -> None:
    file = table(tmp_path, "accession_number,patient_id,issuer,adjudicated\nA1,P1,,1\nA1,P2,H,0\nA2,,H,1\nA1,P1,,0\n")

    found = read_table(file, meanings(), "importer")

    assert [one.of for one in found.labels] == [(Named("P1"),), (Named("P2", ("H",)),)]
    assert "P1" not in repr(found)
    assert [(fault.line, fault.words) for fault in found.faults] == [
        (4, "issuer stands there without patient_id"), (5, "contradicts line 2: chest_xray output 0"),
    ]  # fmt: skip


@pytest.mark.parametrize("column", ["adjudicated", "Adjudicated ", "chest_xray:0", "Pneumonia"])
def test_a_column_may_be_named_for_an_output(tmp_path: Path, column: str) -> None:
    file = table(tmp_path, f"accession_number;{column}\nA1;1\nA2;\nA3;0\n")

    found = read_table(file, meanings(), "importer")

    assert [(one.accession_number, one.value) for one in found.labels] == [("A1", 1.0), ("A3", 0.0)]
    assert [(fault.line, fault.words) for fault in found.faults] == [(3, "says nothing: no value")]


def test_json_is_read_alike(tmp_path: Path) -> None:
    told = [{"study_uid": "1.2.3", "adjudicated": True}, {"study_uid": "1.2.4", "adjudicated": 0}]

    found = read_table(table(tmp_path, json.dumps(told), "labels.json"), meanings(), "importer")

    assert [one.value for one in found.labels] == [1.0, 0.0]


def test_every_fault_is_told_at_once_with_its_line_and_good_lines_are_taken(tmp_path: Path) -> None:
    file = table(tmp_path, "study_uid,accession_number,PatientName,adjudicated,made,unaided\n"
                 "1.2.3,,,1,,\n"
                 ",,,1,,\n"
                 "1.2.3,A1,,1,,\n"
                 "1.x,,,1,,\n"
                 "1.2.4,,,maybe,,\n"
                 "1.2.5,,,1,yesterday,\n"
                 "1.2.6,,,1,2999-01-01,\n"
                 "1.2.7,,,1,,perhaps\n"
                 "1.2.3,,,0,,\n")  # fmt: skip

    found = read_table(file, meanings(), "importer")

    assert [one.study_uid for one in found.labels] == ["1.2.3"]
    assert [fault.line for fault in found.faults] == [0, 3, 4, 5, 6, 7, 8, 9, 10]
    words = [fault.words for fault in found.faults]
    assert words[0].startswith("column 'PatientName' is unknown")
    assert words[1:4] == [
        "needs either study_uid or accession_number",
        "needs either study_uid or accession_number, not both",
        "study_uid is no UID: digits with dots, at most 64 characters",
    ]
    assert words[4:] == [
        "'maybe' is no value: write present, absent or uncertain",
        "made is no date: write 2026-03-04 or 2026-03-04T10:00",
        "made lies in the future",
        "unaided is neither yes nor no",
        "contradicts line 2: chest_xray output 0",
    ]


@pytest.mark.parametrize(("text", "name", "words"), [
    ("", "a.csv", "no column study_uid or accession_number"),
    ("PatientID,adjudicated\nP1,1\n", "a.csv", "no column study_uid or accession_number"),
    ("study_uid,x,x\n", "a.csv", "two columns 'x'"),
    ("{", "a.json", "no JSON"),
    ("{}", "a.json", "no list of objects"),
])  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, name: str, words: str) -> None:
    with pytest.raises(ConfigFault, match=words):
        read_table(table(tmp_path, text, name), meanings(), "importer")


def test_an_unknown_model_or_output_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    file = table(tmp_path, "study_uid,model,output,value\n1.1,nothing,0,1\n1.1,chest_xray,7,1\n")

    found = read_table(file, meanings(), "importer")

    assert [fault.words for fault in found.faults] == [
        "there is no usable bundle 'nothing'; there are: chest_xray, hippocampus",
        "chest_xray has no output '7'; it has 0 'Pneumonia'",
    ]


def test_a_map_that_speaks_of_no_output_is_a_fault_in_words() -> None:
    found = meanings(Mapping(model="gone", output=0), Mapping(model=MODEL, output=9))

    assert found.faults == [
        "learn.map entry 1: there is no usable bundle 'gone'", "learn.map entry 2: chest_xray has no output 9",
    ]  # fmt: skip


def test_a_code_of_the_site_or_of_a_bundle_means_its_output_and_old_snomed_codes_are_understood() -> None:
    found = meanings(Mapping(model=MODEL, output=0, codes=("36971009/SCT",), value="absent"))

    assert [(one.output, one.present) for one in found.of_code("36971009/SCT")] == [(0, False)]
    assert [one.output for one in found.of_code("233604007/SCT")] == [0]
    assert [one.output for one in found.of_words(" anterior  HIPPOCAMPUS ")] == [1]
    assert found.of_code("5366008/SCT") == []  # two segments share it
