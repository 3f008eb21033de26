"""Durable work across real processes that die."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dicomnode import durable

PROGRAM = Path(__file__).parent / "durable_made.py"


def worked(folder: Path, jobs: str) -> int:
    """Have a process do these jobs ("workflow:queue:name:priority ...") and what was left over; its exit code."""
    with (folder / "stderr").open("a") as stderr:
        done = subprocess.run(
            [sys.executable, str(PROGRAM), str(folder), str(folder / "log")],
            input=jobs,
            text=True,
            timeout=120,
            check=False,
            stderr=stderr,
        )
    return done.returncode


def said(folder: Path, first: str) -> list[list[str]]:
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[1:] for line in lines if line.split()[0] == first]


def test_the_same_job_twice_is_done_once(tmp_path: Path) -> None:
    worked(tmp_path, "noted:several:a:100 noted:several:a:100")
    worked(tmp_path, "noted:several:a:100")

    assert said(tmp_path, "noted") == [["a"]]


def test_the_more_urgent_job_goes_first(tmp_path: Path) -> None:
    worked(tmp_path, "noted:one:routine1:100 noted:one:routine2:100 noted:one:routine3:100 noted:one:stat:1")

    names = [words[0] for words in said(tmp_path, "noted")]
    assert set(names) == {"routine1", "routine2", "routine3", "stat"}
    assert names.index("stat") <= 1


def test_a_permanent_fault_keeps_its_family_and_its_words(tmp_path: Path) -> None:
    worked(tmp_path, "refused:several:x:100")

    assert said(tmp_path, "refused") == [["Permanent", "x", "lacks", "a", "slice"]]


def test_a_transient_fault_is_tried_again(tmp_path: Path) -> None:
    worked(tmp_path, "stumbled:several:x:100")

    assert said(tmp_path, "stumbled") == [["x", "2"]]


def test_a_database_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    worked(tmp_path, "locked:several:x:100")

    assert said(tmp_path, "locked") == [["x", "2"]]


def test_a_delivery_that_failed_as_nobody_foresaw_is_tried_again(tmp_path: Path) -> None:
    worked(tmp_path, "deliver:-:1.2.3:100")

    assert said(tmp_path, "unsent") == [["1.2.3", "KeyError"]]
    assert said(tmp_path, "sent") == [["pacs"]]


def test_a_duty_that_no_clock_asks_for_again_is_tried_again(tmp_path: Path) -> None:
    worked(tmp_path, "chore:-:run:100")

    assert said(tmp_path, "chore") == [["withdraw", "run"]]


def test_a_fault_that_nobody_foresaw_is_logged_with_its_place_and_without_its_words(tmp_path: Path) -> None:
    worked(tmp_path, "tripped:several:Doe^Jane:100")

    assert said(tmp_path, "tripped") == [["Doe^Jane"]]
    logged = (tmp_path / "stderr").read_text()
    (told,) = [line for line in map(json.loads, logged.splitlines()) if line["event"] == "step.unforeseen"]
    assert (told["step"], told["fault"]) == ("trip", "ValueError")
    assert told["at"][-1].startswith("journey/durable_made.py:")
    assert told["at"][-1].endswith(" trip")
    assert "Doe" not in logged


@pytest.mark.timeout(300)
def test_work_that_kills_its_process_three_times_is_given_up_and_nothing_beside_it(tmp_path: Path) -> None:
    codes = [worked(tmp_path, "asker:several:p:100 noted:one:innocent:100")]
    while codes[-1] == -9 and len(codes) < 8:
        codes.append(worked(tmp_path, ""))

    assert len(said(tmp_path, "died")) == 3
    assert len(said(tmp_path, "given-up")) == 1
    assert said(tmp_path, "noted") == [["innocent"]]
    assert durable.waiting(f"sqlite:///{tmp_path / 'engine.sqlite'}") == []
