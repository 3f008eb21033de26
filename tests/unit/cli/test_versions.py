"""`dicomnode models versions | shadow | promote | rollback | log`."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from dicomnode.cli.models import app
from dicomnode.errors import ConfigFault
from dicomnode.index.learning import ShadowAnswerRow
from dicomnode.learn.values import Verdict
from tests.versions_made import MODEL, Shelf, judged, shadowed, shelf_made


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return shelf_made(tmp_path, domain="")


def told(shelf: Shelf, *words: str) -> Result:
    return CliRunner().invoke(app, list(words), obj=shelf)


def test_a_version_is_promoted_and_rolled_back_by_command_and_the_log_tells_it(shelf: Shelf) -> None:
    row = shelf.made()
    judged(shelf, row, Verdict.UNDERPOWERED)
    shadowed(shelf, row)
    words = ("promote", MODEL, "learned.1", "--by", "Dr. Who", "--reason", "a trial")

    assert isinstance(told(shelf, *words).exception, ConfigFault)
    assert "every result is titled RESEARCH" in told(shelf, *words, "--research").stdout
    assert json.loads(told(shelf, "versions", MODEL, "--json").stdout)[0]["state"] == "in use"
    assert "the installed bundle answers again" in told(shelf, "rollback", MODEL, "--by", "Dr. Who").stdout

    log = json.loads(told(shelf, "log", "--verify", "--json").stdout)
    assert [one["what"] for one in log["decisions"]][-2:] == ["promoted", "rolled back"]
    assert (log["faults"], log["decisions"][-2]["by"]) == ([], "Dr. Who")


def test_the_shadow_tells_the_studies_on_which_the_two_differ(shelf: Shelf) -> None:
    row = shelf.made()
    told(shelf, "shadow", MODEL, "--start", row.version)
    shadowed(shelf, row, studies=3)
    with shelf.index.transaction() as session:
        answer = session.query(ShadowAnswerRow).first()
        assert answer is not None
        answer.agrees, answer.words = False, "finding 0: 97 % instead of 3 %"

    (one,) = json.loads(told(shelf, "shadow", MODEL, "--json").stdout)

    assert (one["compared"], one["agreed"], one["ended"]) == (3, 2, True)
    assert one["differing"][0]["words"] == "finding 0: 97 % instead of 3 %"
    assert one["differing"][0]["study_uid"].startswith("1.2.")
    assert "the two agree on 2" in told(shelf, "shadow", MODEL).stdout


def test_a_record_that_was_changed_ends_the_command_with_an_error(shelf: Shelf) -> None:
    shelf.made()
    assert told(shelf, "log", "--verify").exit_code == 0

    with shelf.index.transaction() as session:
        session.execute(text("UPDATE decisions SET reason = 'another'"))

    result = told(shelf, "log", "--verify")
    assert (result.exit_code, "entry 1 was changed" in result.stdout) == (1, True)
