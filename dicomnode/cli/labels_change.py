"""The commands of `dicomnode labels` that change something, or write it out."""

import csv
import io
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LabelRow
from dicomnode.learn.harvest.again import read_again
from dicomnode.learn.harvest.labels import Added, NewLabel, give, withdraw
from dicomnode.learn.harvest.many import enter_labels
from dicomnode.learn.harvest.meanings import meanings_of
from dicomnode.learn.harvest.patients import opt_out
from dicomnode.learn.harvest.table import Fault, meant_by, read_table, value_of
from dicomnode.learn.harvest.tick import settle
from dicomnode.learn.values import LabelState, Source

By = Annotated[str, typer.Option(help="Who says so; empty: the user of this session.")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]
EXPORTED = (
    "study_uid", "series_uid", "model", "output", "what", "value", "source", "made_s", "assisted", "weight", "state",
    "rule",
)  # fmt: skip
console = Console()


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for name, command in (
        ("add", add),
        ("withdraw", withdraw_label),
        ("attach", attach_label),
        ("import", import_labels),
        ("export", export_labels),
        ("opt-out", opt_out_patient),
        ("read-again", read_objects_again),
    ):
        app.command(name)(command)


def add(  # noqa: PLR0913 - a command's options
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Folder of the bundle.")],
    output: Annotated[str, typer.Argument(help="Index or label of its output, or a word of learn.map.")],
    value: Annotated[str, typer.Argument(help="present, absent or uncertain.")],
    study: Annotated[str, typer.Option(help="Study Instance UID.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number, where the UID is not at hand.")] = "",
    by: By = "",
    unaided: Annotated[bool, typer.Option("--unaided", help="Whoever said so had not seen our result.")] = False,
) -> None:
    """Say that a finding is present or absent in a study."""
    opened: Opened = ctx.obj
    if bool(study) == bool(accession):
        raise ConfigFault("give either --study or --accession")
    name, index = meant_by(meanings_of(opened.config), model, output)
    person = by or login_name()
    label = NewLabel(
        model=name, output=index, value=value_of(value), source=Source.PERSON, who=person, made_s=time.time(),
        study_uid=study, accession_number=accession, rule="by command", assisted=False if unaided else None,
    )  # fmt: skip
    added = _enter(opened, [label])
    key = added.keys[0] if added.keys else 0
    _audit(opened, f"labels add {name} {index}: label {key}, by {person}", study)
    typer.echo(f"label {key}: {_in_words(opened, key)}")


def withdraw_label(
    ctx: typer.Context,
    label: Annotated[int, typer.Argument(help="Number of the label.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the label.")],
    by: By = "",
) -> None:
    """Take a label back: it is kept, and never used again."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        study_uid = withdraw(session, label, f"{reason} (by {by or login_name()})").study_uid
    _audit(opened, f"labels withdraw {label}", study_uid)
    typer.echo(f"label {label} is withdrawn; candidates made from now on do not use it")


def attach_label(
    ctx: typer.Context,
    label: Annotated[int, typer.Argument(help="Number of a label in doubt, or that waits.")],
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    by: By = "",
) -> None:
    """Say which study a label is about, where the node could not be sure whose it is: nothing is compared any more."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        give(session, label, study)
    settle(opened.index, opened.config, time.time())
    _audit(opened, f"labels attach {label}, by {by or login_name()}", study)
    typer.echo(f"label {label}: {_in_words(opened, label)}")


def import_labels(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSON; `dicomnode labels import --help` names the columns.", exists=True, dir_okay=False
        ),
    ],
    by: By = "",
    strict: Annotated[bool, typer.Option("--strict", help="Take nothing where one line is wrong.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take labels from a table, by study_uid or accession_number.

    Columns: study_uid or accession_number; patient_id and issuer, which are compared with the study's and not kept;
    model, output and value (present, absent, uncertain), or one column for each output, named for it (its label, a word
    of learn.map, or model:index); who, made (2026-03-04T10:00) and unaided (yes: whoever said so had not seen our
    result) if known. Every other column is a fault. Lines that are right are taken, the others are named with their
    fault; the exit code is then 1. Stopped midway, it is imported again: labels that are in change nothing.
    """
    opened: Opened = ctx.obj
    table = read_table(file, meanings_of(opened.config), by or login_name())
    wanted = () if dry_run or (strict and table.faults) else table.labels
    added = _enter(opened, wanted)
    if wanted:
        _audit(opened, f"labels import: {len(added.keys)} new labels")
    attached = len(added.keys) - added.waiting - added.refused
    counts = {"lines_wrong": len(table.faults), "new": len(added.keys), "attached": attached,
              "waiting": added.waiting, "refused": added.refused, "known": added.known}  # fmt: skip
    if as_json:
        typer.echo(json.dumps({**counts, "faults": [vars(fault) for fault in table.faults]}, indent=2))
    else:
        _tell_import(counts, table.faults, taken=bool(wanted) or not table.labels)
    raise typer.Exit(1 if table.faults else 0)


def export_labels(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, or JSON where the name ends so; - for standard output.")],
    model: Annotated[str, typer.Option(help="Of this model only.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Refused and withdrawn ones too.")] = False,
) -> None:
    """Write labels to a table. No identity is in it beyond the Study Instance UID: no patient, no reader, no number."""
    opened: Opened = ctx.obj
    query = select(LabelRow).where(LabelRow.study_key.is_not(None)).order_by(LabelRow.label_key)
    query = query.where(LabelRow.model == model) if model else query
    query = query if every else query.where(LabelRow.state == LabelState.ATTACHED)
    with opened.index.snapshot() as session:
        told = [{name: getattr(row, name) for name in EXPORTED} for row in session.scalars(query)]
    text = json.dumps(told, indent=2) if file.suffix.casefold() == ".json" else _as_csv(told)
    if str(file) == "-":
        typer.echo(text)
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened_file:
        opened_file.write(text)
    _audit(opened, f"labels export: {len(told)} labels")
    typer.echo(f"{len(told)} labels in {file}, without any identity beyond the Study Instance UID")


def opt_out_patient(
    ctx: typer.Context,
    study: Annotated[str, typer.Argument(metavar="[STUDY]", help="Study Instance UID of one of the patient's.")] = "",
    patient_id: Annotated[str, typer.Option("--patient-id", help="Instead: Patient ID, under any issuer.")] = "",
    issuer: Annotated[str, typer.Option(help="Issuer of that ID.")] = "",
) -> None:
    """Exclude a patient from learning for ever: no label of theirs is used from now on."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        key = opt_out(session, opened.config.node.state, study_uid=study, patient_id=patient_id, issuer=issuer)
        kept = session.query(LabelRow).filter(LabelRow.patient == key).count()
    _audit(opened, f"labels opt-out of patient {key[:12]}", study)
    typer.echo(f"patient {key[:12]} (a key, no name) is excluded for ever; {kept} label(s) are kept and never used")


def read_objects_again(ctx: typer.Context) -> None:
    """Have objects that gave no usable label read once more, after learn.map has grown and the engine was restarted."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        count = read_again(session)
    _audit(opened, f"labels read-again: {count} objects")
    typer.echo(f"{count} object(s) that gave no usable label are read again at the engine's next look")


def _enter(opened: Opened, labels: Sequence[NewLabel]) -> Added:
    added = Added()
    if not labels:
        return added
    try:
        for added in enter_labels(opened.index, opened.config.node.state, labels):  # noqa: B007 - the last one counts
            pass
    finally:
        _tell_stopped(opened, added, len(labels))
    settle(opened.index, opened.config, time.time())
    return added


def _tell_stopped(opened: Opened, added: Added, wanted: int) -> None:
    """What is there of labels that were not all entered, since the disk is full, or a person ended it."""
    entered = len(added.keys) + added.known
    if 0 < entered < wanted:
        _audit(opened, f"labels import, stopped: {len(added.keys)} new labels")
        typer.echo(
            f"stopped: {entered} of {wanted} labels are in, and stay. Import the same table again for the rest: "
            "what is in changes nothing",
            err=True,
        )


def _in_words(opened: Opened, key: int) -> str:
    with opened.index.snapshot() as session:
        row = session.get(LabelRow, key)
    if row is None:
        return "known already"
    seen = "; our result was out before, so it never tests a version" if row.assisted else ""
    reason = f": {row.reason}" if row.reason else ""
    return f"{row.state}{reason}{seen}"


def _tell_import(counts: dict[str, int], faults: Sequence[Fault], *, taken: bool) -> None:
    if not taken:
        console.print("[yellow]nothing was taken[/]")
    else:
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if name != "lines_wrong")
        console.print(f"labels: {said}", highlight=False)
    if faults:
        table = Table("line", "what is wrong", box=None)
        for fault in faults:
            table.add_row(str(fault.line) if fault.line else "heading", fault.words)
        console.print(table, markup=False)


def _as_csv(told: Sequence[dict[str, object]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, EXPORTED)
    writer.writeheader()
    writer.writerows(told)
    return buffer.getvalue()


def _audit(opened: Opened, command: str, study_uid: str = "") -> None:
    AuditTrail.of(opened.config).commanded(by=login_name(), command=command, study_uid=study_uid)
