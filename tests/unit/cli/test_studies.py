"""`dicomnode studies` as a person and a script see it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicomnode.cli.studies import app
from dicomnode.errors import ConfigFault, NodeError
from tests.phantom import SUBJECT, ct_series, mr_series
from tests.unit.archive.archived import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive(tmp_path / "state")
    opened.receive(ct_series(slices=2))
    yield opened
    opened.index.close()


def said(archive: Archive, *words: str) -> str:
    done = CliRunner().invoke(app, list(words), obj=archive, env={"COLUMNS": "300"})
    if isinstance(done.exception, NodeError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_studies_are_listed(archive: Archive) -> None:
    (line,) = [line for line in said(archive, "list").splitlines() if SUBJECT.study_uid in line]
    assert "CT" in line
    assert "receiving" in line
    assert SUBJECT.study_uid in said(archive)


def test_a_script_reads_json(archive: Archive) -> None:
    (listed,) = json.loads(said(archive, "list", "--modality", "CT", "--json"))
    assert (listed["study"], listed["instances"], listed["modalities"]) == (SUBJECT.study_uid, 2, ["CT"])
    assert json.loads(said(archive, "list", "--since", "2999-01-01", "--json")) == []


def test_one_study_is_shown_with_its_series(archive: Archive) -> None:
    assert "CT 1" in said(archive, "show", SUBJECT.study_uid)
    shown = json.loads(said(archive, "show", SUBJECT.study_uid, "--json"))
    assert [one["instances"] for one in shown["series"]] == [2]


def test_an_unknown_study_and_a_wrong_date_are_refused_in_words(archive: Archive) -> None:
    with pytest.raises(NodeError, match=r"no instance of study 1\.2"):
        said(archive, "show", "1.2")
    with pytest.raises(ConfigFault, match="yesterday"):
        said(archive, "list", "--since", "yesterday")


def test_an_export_is_audited(archive: Archive, tmp_path: Path) -> None:
    assert "2 instances" in said(archive, "export", SUBJECT.study_uid, str(tmp_path / "out"))
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 2
    assert "Export" in "".join(file.read_text() for file in (archive.state / "audit").glob("*"))


def test_a_held_study_is_settled_by_a_person(archive: Archive) -> None:
    (other,) = mr_series(slices=1)
    other.PatientID = "SOMEONE-ELSE"
    archive.receive([other])

    assert "1 instance(s) of another patient" in said(
        archive, "settle", SUBJECT.study_uid, "--patient", SUBJECT.patient_id
    )
    assert archive.study().state == "receiving"


def test_reindex_says_what_it_found(archive: Archive) -> None:
    assert json.loads(said(archive, "reindex", "--json")) == {"files": 2, "entered": 0, "damaged": [], "missing": []}
    assert "2 files, 0 entered" in said(archive, "reindex")
