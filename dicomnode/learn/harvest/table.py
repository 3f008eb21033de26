"""Labels from a table: CSV with a heading (comma, semicolon or tab), or a JSON list of objects with the same names.

| column | means |
|---|---|
| study_uid, or accession_number | which study; one of the two in each line |
| patient_id, issuer | Patient ID, and its issuer; compared with the study's, and not kept |
| model | folder of the bundle |
| output | its `index` in dicom.toml, its label there, or a word of learn.map |
| value | present, absent or uncertain; also yes, no, 1, 0, positive, negative, unknown |
| who | who said so; else whoever imports the table |
| made | when, as 2026-03-04 or 2026-03-04T10:00; local time unless it says otherwise; else now |
| unaided | yes: whoever said so had not seen our result |

Instead of model, output and value, a column may be named for an output (its label, a word of learn.map, or
model:index); its cells are values, and an empty one says nothing. Other columns are a fault, so that nothing about a
patient is brought in by mistake.
"""

import csv
import hashlib
import io
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dicomnode.errors import ConfigFault
from dicomnode.learn.harvest.labels import NewLabel
from dicomnode.learn.harvest.meanings import Meanings, outputs_of
from dicomnode.learn.harvest.named import Named
from dicomnode.learn.values import Source

LONG = ("model", "output", "value")
ABOUT = ("study_uid", "accession_number", "who", "made", "unaided")
PATIENT = ("patient_id", "issuer")
NO_OUTPUTS = (*LONG, *ABOUT, *PATIENT)
VALUES: dict[str, float | None] = {
    **dict.fromkeys(("present", "yes", "1", "1.0", "true", "positive", "pos"), 1.0),
    **dict.fromkeys(("absent", "no", "0", "0.0", "false", "negative", "neg"), 0.0),
    **dict.fromkeys(("uncertain", "unknown", "undetermined", "equivocal", "?"), None),
}
UID = re.compile(r"[0-9]+(\.[0-9]+)*")
MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    number: int
    """As an editor shows it; of JSON: of the object, from 1."""
    cells: dict[str, str]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line; 0: with the whole table."""

    line: int
    words: str


@dataclass(frozen=True)
class Table:
    """The labels of a table, and all that is wrong with it."""

    labels: tuple[NewLabel, ...]
    faults: tuple[Fault, ...]


class _Wrong(ValueError):
    """A cell that cannot be understood; the message says why."""


def read_table(file: Path, meanings: Meanings, by: str) -> Table:
    """Every label of a table, and every fault at once.

    Raises:
        ConfigFault: it is no table at all.
    """
    lines = list(_lines(file))
    columns = dict.fromkeys(name for line in lines for name in line.cells)
    faults = [Fault(0, words) for words in _unknown(columns, meanings)]
    labels: dict[object, tuple[int, NewLabel]] = {}
    for line in lines:
        try:
            for label in _labels(line, meanings, by):
                about = (label.study_uid or label.accession_number, label.of, label.model, label.output)
                earlier = labels.setdefault(about, (line.number, label))
                if earlier[1].value != label.value:
                    raise _Wrong(f"contradicts line {earlier[0]}: {label.model} output {label.output}")
        except _Wrong as wrong:
            faults.append(Fault(line.number, str(wrong)))
    return Table(tuple(label for _, label in labels.values()), tuple(faults))


def meant_by(meanings: Meanings, model: str, output: str) -> tuple[str, int]:
    """The output of a model that a person names: by index, by label, or by a word of learn.map.

    Raises:
        ConfigFault: there is no such model or output, or several are meant.
    """
    if model and model not in meanings.models:
        raise ConfigFault(f"there is no usable bundle {model!r}; there are: {', '.join(meanings.models) or 'none'}")
    if model and output.isdecimal() and int(output) in outputs_of(meanings.models[model]):
        return model, int(output)
    found = {(one.model, one.output) for one in meanings.of_words(output) if one.model == model or not model}
    if len(found) == 1:
        return found.pop()
    if found:
        raise ConfigFault(f"{output!r} means outputs of several models: {', '.join(sorted(m for m, _ in found))}")
    known = outputs_of(meanings.models[model]) if model else {}
    there = ", ".join(f"{index} {label!r}" for index, label in known.items())
    raise ConfigFault(f"{model or 'no model'} has no output {output!r}" + (f"; it has {there}" if there else ""))


def value_of(text: str) -> float | None:
    """Present (1), absent (0) or uncertain (None), as a person writes it.

    Raises:
        ConfigFault: it is none of them.
    """
    key = text.strip().casefold()
    if key not in VALUES:
        raise ConfigFault(f"{text!r} is no value: write present, absent or uncertain")
    return VALUES[key]


def _lines(file: Path) -> Iterator[Line]:
    if file.stat().st_size > MAX_BYTES:
        raise ConfigFault(f"{file} is larger than {MAX_BYTES >> 20} MiB: divide it")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ConfigFault(f"{file} is not UTF-8: save it as CSV UTF-8") from fault
    yield from _of_json(file, text) if file.suffix.casefold() == ".json" else _of_csv(file, text)


def _of_json(file: Path, text: str) -> Iterator[Line]:
    try:
        objects = json.loads(text)
    except json.JSONDecodeError as fault:
        raise ConfigFault(f"{file} is no JSON: {fault}") from fault
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
        raise ConfigFault(f"{file} is no list of objects")
    for number, one in enumerate(objects, 1):
        yield Line(number, {str(key): _text(value) for key, value in one.items()})


def _of_csv(file: Path, text: str) -> Iterator[Line]:
    heading = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not {"study_uid", "accession_number"} & set(names):
            raise ConfigFault(f"{file} has no column study_uid or accession_number")
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigFault(f"{file} has two columns {doubled[0]!r}")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(names) - len(cells))]
                yield Line(reader.line_num, dict(zip(names, (cell.strip() for cell in padded), strict=False)))
    except csv.Error as fault:
        raise ConfigFault(f"{file} is no CSV: {fault}") from fault


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).strip() if not isinstance(value, bool) else ("yes" if value else "no")


def _unknown(columns: Mapping[str, None], meanings: Meanings) -> Iterator[str]:
    for name in columns:
        if name not in NO_OUTPUTS and _output_of(meanings, name) is None:
            yield f"column {name!r} is unknown, and means no output of a model: take it out, or add it to learn.map"


def _output_of(meanings: Meanings, column: str) -> tuple[str, int] | None:
    """The output that a column is named for."""
    model, colon, output = column.partition(":")
    try:
        return meant_by(meanings, model if colon else "", output if colon else column)
    except ConfigFault:
        return None


def _labels(line: Line, meanings: Meanings, by: str) -> Iterator[NewLabel]:
    said = list(_said(line, meanings))
    if not said:
        raise _Wrong("says nothing: no value")
    study, accession = _study(line)
    for model, output, value in said:
        label = NewLabel(
            model=model,
            output=output,
            value=value,
            source=Source.TABLE,
            who=line.cells.get("who") or by,
            made_s=_made_s(line),
            study_uid=study,
            accession_number=accession,
            of=_patient(line),
            rule="line of a table",
            assisted=_assisted(line),
            object_uid=_line_uid(line, model, output, value),
        )
        yield label


def _said(line: Line, meanings: Meanings) -> Iterator[tuple[str, int, float | None]]:
    cells = line.cells
    try:
        if any(cells.get(name) for name in LONG):
            model, output = meant_by(meanings, cells.get("model", ""), cells.get("output", ""))
            yield model, output, value_of(cells.get("value", ""))
        for name, text in cells.items():
            meant = None if name in NO_OUTPUTS else _output_of(meanings, name)
            if meant and text:
                yield *meant, value_of(text)
    except ConfigFault as fault:
        raise _Wrong(str(fault)) from fault


def _study(line: Line) -> tuple[str, str]:
    study, accession = line.cells.get("study_uid", ""), line.cells.get("accession_number", "")
    if bool(study) == bool(accession):
        raise _Wrong("needs either study_uid or accession_number" + (", not both" if study else ""))
    if study and (len(study) > 64 or not UID.fullmatch(study)):
        raise _Wrong("study_uid is no UID: digits with dots, at most 64 characters")
    if len(accession) > 64:
        raise _Wrong("accession_number is longer than 64 characters")
    return study, accession


def _patient(line: Line) -> tuple[Named, ...]:
    patient_id, issuer = (line.cells.get(name, "") for name in PATIENT)
    if issuer and not patient_id:
        raise _Wrong("issuer stands there without patient_id")
    return (Named(patient_id, (issuer,) if issuer else ()),) if patient_id else ()


def _made_s(line: Line) -> float:
    text = line.cells.get("made", "")
    if not text:
        return time.time()
    try:
        made_s = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as fault:
        raise _Wrong("made is no date: write 2026-03-04 or 2026-03-04T10:00") from fault
    if not math.isfinite(made_s) or made_s > time.time():
        raise _Wrong("made lies in the future")
    return made_s


def _assisted(line: Line) -> bool | None:
    text = line.cells.get("unaided", "").casefold()
    if text not in ("", *VALUES) or (text and VALUES[text] is None):
        raise _Wrong("unaided is neither yes nor no")
    return None if not text else VALUES[text] == 0.0


def _line_uid(line: Line, model: str, output: int, value: float | None) -> str:
    """What stands for the object: the same line imported again gives nothing. The patient's key is added to it."""
    told: Sequence[object] = [*(line.cells.get(name, "") for name in ABOUT), model, output, value]
    return f"line:{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]}"
