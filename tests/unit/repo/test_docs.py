"""The conformance statement names tests that exist; the runbook names settings, units and metrics that exist."""

import re
from pathlib import Path

from dicomnode.config.tables import Config
from dicomnode.web.metrics import NodeCollector
from dicomnode.web.snapshot import Snapshot

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "deploy" / "docs"
CONFORMANCE = (DOCS / "conformance.md").read_text(encoding="utf-8")
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")


def names_of_tests() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}


def test_every_test_that_the_conformance_statement_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", CONFORMANCE)

    assert sorted(set(named) - names_of_tests()) == []
    assert len(named) > 60


def test_every_line_of_a_conformance_table_names_a_test() -> None:
    head, rows = "", []
    for line in CONFORMANCE.splitlines():
        head = line if line.startswith("|") and not head.startswith("|") else head if line.startswith("|") else ""
        rows += [line] if line.startswith("|") and "proved by" in head and "---" not in line and line != head else []

    assert [row for row in rows if "`test_" not in row] == []


def test_every_setting_that_the_runbook_names_exists() -> None:
    named = re.findall(r"`\[(\w+)\]\.(\w+)`", RUNBOOK)

    assert [pair for pair in named if pair[1] not in type(getattr(Config(), pair[0])).model_fields] == []
    assert len(named) >= 5


def test_every_metric_that_the_runbook_names_exists() -> None:
    there = {family.name for family in NodeCollector(Snapshot).collect()}

    assert set(re.findall(r"dicomnode_\w+", RUNBOOK)) <= there


def test_every_decision_is_short_and_says_what_was_chosen() -> None:
    for note in (DOCS / "decisions").glob("*.md"):
        lines = note.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# "), note.name
        assert len(lines) <= 40, note.name
