"""Reports that readers labelled, for measuring a labeler: a CSV or JSON file, and a table that says how to read it.

Without a table the columns are `id`, `text`, and one column a finding: 1 present, 0 absent, empty not judged.
"""

import csv
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import Field, ValidationError

from dicomnode.config.conditions import Table
from dicomnode.errors import ConfigFault

FOLDER = Path(__file__).with_name("references")
TRUE, FALSE = ("1", "1.0", "true", "yes", "present"), ("0", "0.0", "false", "no", "absent")


class Half(StrEnum):
    """Which part of the reports, by the hash of their id: words are chosen on one and figures taken on the other."""

    DEVELOPMENT = "development"
    REPORTING = "reporting"
    ALL = "all"


class Terms(Table):
    """A column of index terms."""

    column: str
    separator: str = "|"


class Reading(Table):
    """How a file of labelled reports is read."""

    id: str = "id"
    text: dict[str, str] = Field(default_factory=lambda: {"text": ""})
    """Column to the heading that is put above it; none where it is empty."""
    terms: Terms | None = None
    """Findings follow from index terms; else each has a column of its own name."""
    absent_terms: tuple[str, ...] = ()
    unusable_terms: tuple[str, ...] = ()
    """A report with one of these was not indexed."""
    findings: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Finding to the terms that mean it."""


@dataclass(frozen=True)
class Labelled:
    """One report, and what readers said of it."""

    report_id: str
    text: str
    truth: Mapping[str, bool]
    """Of the findings that were judged."""


def read_reading(name: str) -> Reading:
    """How to read a file: by the name of a table in the box, or by its path; empty: plain columns.

    Raises:
        ConfigFault: there is no such table, or it is broken.
    """
    if not name:
        return Reading()
    path = FOLDER / f"{name}.toml" if (FOLDER / f"{name}.toml").exists() else Path(name)
    try:
        return Reading.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as fault:
        raise ConfigFault(f"{name} is no table of how to read labelled reports: {fault}") from fault


def read_labelled(path: Path, reading: Reading, half: Half = Half.ALL) -> tuple[Labelled, ...]:
    """The reports of a file that have text and labels.

    Raises:
        ConfigFault: it is no CSV or JSON with these columns.
    """
    made = (_labelled(row, reading) for row in _rows(path, reading))
    return tuple(one for one in made if one is not None and half in (Half.ALL, half_of(one.report_id)))


def half_of(report_id: str) -> Half:
    """The half that a report belongs to, for ever."""
    first = hashlib.sha256(report_id.encode()).digest()[0]
    return Half.DEVELOPMENT if first % 2 == 0 else Half.REPORTING


def _rows(path: Path, reading: Reading) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        given = json.loads(text) if path.suffix.lower() == ".json" else list(csv.DictReader(text.splitlines(True)))
        rows = [{str(key): _plain(value) for key, value in row.items()} for row in given]
    except (OSError, ValueError, AttributeError, TypeError, csv.Error) as fault:
        raise ConfigFault(f"{path} holds no labelled reports: {fault}") from fault
    needed = {reading.id, *reading.text} | ({reading.terms.column} if reading.terms else set())
    if rows and (missing := needed - rows[0].keys()):
        raise ConfigFault(f"{path} has no column {', '.join(sorted(missing))}; name a table of how to read it")
    return rows


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value).strip()


def _labelled(row: dict[str, str], reading: Reading) -> Labelled | None:
    parts = [(heading, row[column]) for column, heading in reading.text.items() if row[column]]
    truth = _of_terms(row, reading) if reading.terms else _of_columns(row, reading)
    if not parts or not truth:
        return None
    text = "\n".join(f"{heading}: {part}" if heading else part for heading, part in parts)
    return Labelled(row[reading.id], text, truth)


def _of_columns(row: dict[str, str], reading: Reading) -> dict[str, bool]:
    values = {name: value.lower() for name, value in row.items() if name not in (reading.id, *reading.text)}
    return {name.lower(): value in TRUE for name, value in values.items() if value in (*TRUE, *FALSE)}


def _of_terms(row: dict[str, str], reading: Reading) -> dict[str, bool]:
    assert reading.terms is not None
    terms = [term.split("/") for term in row[reading.terms.column].split(reading.terms.separator) if term.strip()]
    heads = {parts[0].strip() for parts in terms}
    if not terms or heads & set(reading.unusable_terms):
        return {}
    return {
        finding: any(_means(parts, wanted) for parts in terms for wanted in names)
        for finding, names in reading.findings.items()
    }


def _means(parts: list[str], wanted: str) -> bool:
    have = [part.strip() for part in parts]
    head, *qualifiers = wanted.split("/")
    return have[0] == head and set(qualifiers) <= set(have[1:])
