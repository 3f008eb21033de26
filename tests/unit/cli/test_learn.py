"""`dicomnode learn status | list`."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicomnode.cli.learn import app, how_far
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.learning import DuplicateRow, LearningRow
from dicomnode.index.learnings import Holder
from dicomnode.learn.oversight import oversight
from tests.index_made import index_made


@dataclass(frozen=True)
class Opened:
    """What a command has at hand."""

    config: Config
    index: Index


def learning(moment: str, started_s: float, state: str, **more: object) -> LearningRow:
    row = LearningRow(job=f"lung:calendar:{moment}", model="lung", trigger="calendar", state=state, started_s=started_s)
    for name, value in more.items():
        setattr(row, name, value)
    return row


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    index = index_made(tmp_path / "index.sqlite")
    progress = {"epoch": 3, "epochs": 40, "loss": 0.41234, "seconds_left": 720.0}
    with index.transaction() as session:
        session.add(learning("1", 1000.0, "done", reason="too few: 10 patients, 100 are needed", ended_s=1010.0))
        session.add(learning("2", 2000.0, "done", candidate="ab" * 32, ended_s=2100.0))
        session.add(learning("3", 3000.0, "running", stage="train", progress=progress))
    yield Opened(Config(), index)
    index.close()


def told(opened: Opened, *words: str) -> str:
    result = CliRunner().invoke(app, list(words), obj=opened)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_status_tells_what_runs_how_far_it_is_and_what_came_of_the_last_attempt(opened: Opened) -> None:
    found = json.loads(told(opened, "status", "--json"))

    assert [one["job"] for one in found["learning"]] == ["lung:calendar:3", "lung:calendar:2"]
    assert "learning is off" in told(opened, "status")


def test_progress_is_told_in_words() -> None:
    progress = {"epoch": 3, "epochs": 40, "loss": 0.41234, "seconds_left": 720.0}
    row = learning("1", 0.0, "running", stage="train", progress=progress)

    assert how_far(row) == "train, epoch 3 of 40, loss 0.4123, about 12 min left"
    assert how_far(learning("1", 0.0, "waiting", stage="", progress={})) == ""
    paused = learning("1", 0.0, "running", stage="train", progress={**progress, "part": "candidate", "paused": True})
    assert how_far(paused) == "train (candidate), epoch 3 of 40, loss 0.4123, about 12 min left, paused"


def test_the_node_that_makes_it_is_told_and_for_how_long_nobody_has_heard_of_it() -> None:
    def told(seconds: float) -> str:
        return how_far(
            learning(
                "1", 0.0, "running", stage="train", progress={}, node="pacs-ai-1-0a1b2c3d", seen_s=time.time() - seconds
            )
        )

    assert told(5) == told(-5) == "train, on pacs-ai-1-0a1b2c3d"
    assert told(185) == "train, on pacs-ai-1-0a1b2c3d, NOT HEARD OF for 3 min"
    assert told(1205) == "train, on pacs-ai-1-0a1b2c3d, NOT HEARD OF for 20 min: loses its turn to a node that waits"


def test_every_attempt_is_listed_newest_first_and_says_why_it_ended(opened: Opened) -> None:
    found = json.loads(told(opened, "list", "--json", "--model", "lung"))

    assert [one["job"][-1] for one in found] == ["3", "2", "1"]
    assert found[2]["reason"] == "too few: 10 patients, 100 are needed"
    assert "lung" in told(opened, "list")


def test_near_duplicates_of_two_patients_are_listed_by_items_that_name_nobody(opened: Opened) -> None:
    with opened.index.transaction() as session:
        session.add(DuplicateRow(one="ab" * 32, other="cd" * 32, model="lung", distance=2.0, at_s=1000.0))

    (found,) = json.loads(told(opened, "duplicates", "--json"))

    assert (found["one"], found["other"], found["distance"]) == ("ab" * 6, "cd" * 6, 2.0)
    assert "lung" in told(opened, "duplicates")


def test_a_job_that_hangs_ends_after_the_hours_of_the_config(opened: Opened) -> None:
    assert oversight(opened.config, opened.index, "lung:calendar:3", "train", Holder("", "")).timeout_s == 24 * 3600
