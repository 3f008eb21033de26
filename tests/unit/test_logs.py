"""No log line carries an identity."""

import ast
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from dicomnode import logs
from dicomnode.config.tables import Log

PACKAGE = Path(logs.__file__).parent


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, as JSON; logging is put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.set_up_logs(Log(format="json"), "engine")
    yield written
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def logged(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_process(lines: io.StringIO) -> None:
    structlog.get_logger().info("study.complete", study=7, instances=120)

    (line,) = logged(lines)
    assert {name: line[name] for name in ("event", "study", "instances", "process", "level")} == {
        "event": "study.complete",
        "study": 7,
        "instances": 120,
        "process": "engine",
        "level": "info",
    }


@pytest.mark.parametrize("field", ["patient_name", "PatientID", "patient-birth-date", "accession_number", "patient"])
def test_a_field_named_like_an_identity_is_withheld(lines: io.StringIO, field: str) -> None:
    structlog.get_logger().warning("instance.refused", **{field: "SECRET"})

    assert "SECRET" not in lines.getvalue()
    assert logged(lines)[0]["withheld"] == [field]


def test_libraries_that_quote_values_of_data_sets_are_silent(lines: io.StringIO) -> None:
    logging.getLogger("pydicom").error("Invalid value for VR PN: 'SECRET'")
    logging.getLogger("pynetdicom.acse").info("no line for this")
    logging.getLogger("pynetdicom.acse").error("a fault of the network")

    assert [line["event"] for line in logged(lines)] == ["a fault of the network"]


def test_no_log_call_of_the_package_names_an_identity() -> None:
    named = [
        f"{path.relative_to(PACKAGE)}:{call.lineno} {keyword.arg}"
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "log"
        for keyword in call.keywords
        if keyword.arg and logs.is_identity(keyword.arg)
    ]

    assert named == []
