"""`dicomnode labels` on a node with labels."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from dicomnode.cli.app import app
from dicomnode.learn.harvest import many
from dicomnode.learn.harvest.labels import Added, NewLabel
from dicomnode.learn.harvest.resolve import resolved
from tests.integration.learn.harvest.reader_made import (
    ABSENT,
    FINDING,
    PRESENCE,
    labels,
    reader_report,
    send,
)
from tests.phantom import SUBJECT, dx_image
from tests.site_made import Site

IDENTITY = (SUBJECT.patient_id, SUBJECT.patient_name, SUBJECT.accession, SUBJECT.birth_date)


@pytest.fixture(autouse=True)
def labelled(site: Site) -> None:
    """One study, and one label of a reader."""
    send(site, [dx_image(), reader_report([dx_image()], evaluations=[(PRESENCE, ABSENT)])])
    labels(site)


def said(site: Site, *words: str) -> Result:
    """What a command under `labels` answers; never who the patient is."""
    config = str(site.config.node.state.parent / "config.toml")
    result = CliRunner().invoke(app, ["--config", config, "labels", *words])
    assert not [name for name in IDENTITY if name in result.output]
    return result


def told(site: Site, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(said(site, *words, "--json").output)
    return found


def test_a_label_is_added_listed_shown_and_withdrawn(site: Site) -> None:
    study = str(dx_image().StudyInstanceUID)

    added = said(site, "add", FINDING, "0", "present", "--study", study, "--by", "Dr One", "--unaided")
    assert added.output.strip() == "label 2: attached"
    assert [(one["label"], one["value"], one["who"]) for one in told(site, "list")] == [
        (2, 1.0, "Dr One"), (1, 0.0, "Reader^One"),
    ]  # fmt: skip
    assert "Dr One" in said(site, "list").output.replace("\n", " ")
    (conflict,) = told(site, "conflicts")
    assert conflict["counts"]["label"] == 2  # type: ignore[index]

    assert said(site, "withdraw", "2", "--reason", "wrong study", "--by", "Dr One").exit_code == 0
    assert json.loads(said(site, "show", "2", "--json").output)["reason"] == "wrong study (by Dr One)"
    assert told(site, "conflicts") == []
    audit = "".join(file.read_text() for file in (site.config.node.state / "audit").glob("*"))
    assert "labels withdraw 2" in audit


def test_a_table_is_imported_once_and_its_faults_are_told(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"accession_number,pneumonia_adjudicated\n{SUBJECT.accession},1\nUNKNOWN-7,0\nUNKNOWN-8,maybe\n")

    nothing = said(site, "import", str(file), "--strict")
    assert (nothing.exit_code, "nothing was taken" in nothing.output) == (1, True)
    first = json.loads(said(site, "import", str(file), "--json").output)
    again = json.loads(said(site, "import", str(file), "--json").output)

    assert (first["attached"], first["waiting"], first["known"]) == (1, 1, 0)
    assert (again["new"], again["known"]) == (0, 2)
    assert first["faults"] == [{"line": 4, "words": "'maybe' is no value: write present, absent or uncertain"}]


def test_a_table_that_is_stopped_midway_says_what_is_in_and_is_imported_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("accession_number,pneumonia_adjudicated\nUNKNOWN-6,1\nUNKNOWN-7,0\nUNKNOWN-8,1\n")
    monkeypatch.setattr(many, "AT_ONCE", 2)
    plain = many.add_labels

    def interrupted(session: Session, some: Sequence[NewLabel], state: Path) -> Added:
        if len(some) < 2:
            raise KeyboardInterrupt
        return plain(session, some, state)

    monkeypatch.setattr(many, "add_labels", interrupted)
    stopped = said(site, "import", str(file))
    monkeypatch.setattr(many, "add_labels", plain)
    again = json.loads(said(site, "import", str(file), "--json").output)

    assert "2 of 3 labels are in, and stay" in in_one_line(stopped)
    assert (again["new"], again["known"], again["waiting"]) == (1, 2, 1)
    audit = "".join(file.read_text() for file in (site.config.node.state / "audit").glob("*"))
    assert "labels import, stopped: 2 new labels" in audit


def test_a_table_that_names_another_patient_is_refused_until_it_is_corrected_or_a_person_decides(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    line = f"accession_number,patient_id,pneumonia_adjudicated\n{SUBJECT.accession},"
    file.write_text(f"{line}SOMEBODY-ELSE,1\n")

    first = json.loads(said(site, "import", str(file), "--json").output)

    assert (first["attached"], first["refused"]) == (0, 1)
    assert "1 label(s) are in doubt, since its source names another patient" in in_one_line(said(site, "list"))
    assert "1 label(s) are in doubt" in in_one_line(said(site, "conflicts"))
    assert said(site, "attach", "2", str(dx_image().StudyInstanceUID)).output.strip() == "label 2: attached"
    file.write_text(f"{line}{SUBJECT.patient_id},1\n")
    second = json.loads(said(site, "import", str(file), "--json").output)
    assert (second["attached"], second["refused"]) == (1, 0)


def in_one_line(result: Result) -> str:
    return " ".join(result.output.split())


def test_an_export_holds_no_identity_beyond_the_study(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"

    assert "without any identity" in said(site, "export", str(file)).output

    (row,) = csv.DictReader(file.read_text().splitlines())
    assert (row["study_uid"], row["model"], row["value"]) == (dx_image().StudyInstanceUID, FINDING, "0.0")
    assert not [name for name in (*IDENTITY, "Reader^One") if name in file.read_text()]


def test_a_patient_who_opts_out_is_excluded_for_ever(site: Site) -> None:
    with site.index.snapshot() as session:
        assert len(resolved(session, FINDING)) == 1
    answer = said(site, "opt-out", str(dx_image().StudyInstanceUID))

    assert "1 label(s) are kept and never used" in answer.output
    with site.index.snapshot() as session:
        assert resolved(session, FINDING) == []


@pytest.mark.parametrize(("words", "fault"), [
    (("show", "77"), "there is no label 77"),
    (("withdraw", "77", "--reason", "x"), "there is no label 77"),
    (("add", FINDING, "9", "present", "--study", "1.2"), "chest has no output '9'; it has 0 'finding 0'"),
    (("add", FINDING, "0", "perhaps", "--study", "1.2"), "'perhaps' is no value"),
    (("add", FINDING, "0", "present"), "give either --study or --accession"),
    (("attach", "77", "1.2"), "there is no label 77"),
    (("attach", "1", "1.2"), "label 1 is attached: not in doubt"),
    (("opt-out",), "give either a Study Instance UID or --patient-id"),
    (("opt-out", "1.2.3"), "there is no study 1.2.3"),
])  # fmt: skip
def test_a_mistake_is_answered_in_words(site: Site, words: tuple[str, ...], fault: str) -> None:
    assert fault in str(said(site, *words).exception)
