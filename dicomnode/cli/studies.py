"""`dicomnode studies`: what was received, and a person's hand in it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dicomnode.archive.export import NoSuchStudy, export
from dicomnode.archive.reindex import Reindexed, reindex, stored_files
from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.errors import ConfigFault
from dicomnode.index.identity import settle
from dicomnode.index.schema import SeriesRow, StudyRow
from dicomnode.index.studies import Filter, Listed, list_studies, series_of, study_by_uid

app = typer.Typer(help="List, show, export and settle received studies.")
AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]
StudyUid = Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID.")]
console = Console()


@app.callback(invoke_without_command=True)
def root(ctx: typer.Context) -> None:
    """List, show, export and settle received studies; without a command: the list."""
    if ctx.invoked_subcommand is None:
        list_(ctx)


@app.command("list")
def list_(  # noqa: PLR0913 - a command's options
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="receiving, decided, held, parked or retired.")] = "",
    patient: Annotated[str, typer.Option(help="Patient ID.")] = "",
    accession: Annotated[str, typer.Option(help="Accession Number.")] = "",
    modality: Annotated[str, typer.Option(help="CT, MR, DX ...")] = "",
    date: Annotated[str, typer.Option(help="Study Date or its beginning: 20260304, 202603.")] = "",
    since: Annotated[str, typer.Option(help="Received since: 2026-03-04 or 2026-03-04T10:00, UTC.")] = "",
    limit: int = 50,
    as_json: AsJson = False,
) -> None:
    """List studies, the newest arrival first."""
    opened: Opened = ctx.obj
    which = Filter(state, patient, accession, modality, date, _seconds(since), limit)
    with opened.index.snapshot() as session:
        found = list_studies(session, which)
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in found]))
        return
    table = Table(
        "received", "study", "patient", "date", "description", "modality", "series", "images", "state", box=None
    )
    for one in found:
        table.add_row(*_line(one))
    console.print(table if found else "no studies")


@app.command()
def show(ctx: typer.Context, study: StudyUid, as_json: AsJson = False) -> None:
    """Show one study and its series."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        row = _require(study_by_uid(session, study), study)
        series = series_of(session, row.study_key)
    if as_json:
        typer.echo(json.dumps({**_study(row), "series": [_series(*one) for one in series]}))
        return
    for name, value in _study(row).items():
        console.print(f"{name:16} {value}", markup=False)
    table = Table("series", "number", "modality", "description", "images", box=None)
    for one, count in series:
        table.add_row(one.series_uid, one.number, one.modality, one.description, str(count))
    console.print(table)


@app.command("export")
def export_(
    ctx: typer.Context,
    study: StudyUid,
    folder: Annotated[Path, typer.Argument(help="Where to; made if absent.", file_okay=False)],
) -> None:
    """Copy a study to a folder, as received."""
    opened: Opened = ctx.obj
    count = export(opened.index, opened.config.node.state, study, folder)
    AuditTrail.of(opened.config).exported(by=login_name(), study_uid=study, instances=count)
    typer.echo(f"{count} instances in {folder}")


@app.command("settle")
def settle_(
    ctx: typer.Context,
    study: StudyUid,
    patient: Annotated[str, typer.Option(help="Patient ID that is right.")],
) -> None:
    """Let a held study go on with the images of one patient; the others are kept and not used."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        aside = settle(session, study, patient)
    AuditTrail.of(opened.config).commanded(by=login_name(), command="settle identity", study_uid=study)
    typer.echo(f"the study goes on; {aside} instance(s) of another patient are set aside")


@app.command("reindex")
def reindex_(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Rebuild studies, series and instances of the index from the files; stop the node first."""
    opened: Opened = ctx.obj
    state, limit = opened.config.node.state, opened.config.receive.max_instance_bytes
    with Progress(console=console, disable=as_json) as progress:
        task = progress.add_task("reading", total=len(stored_files(state)))
        found = reindex(opened.index, state, limit, on_file=lambda _: progress.advance(task))
    _say(found, as_json)
    raise typer.Exit(1 if found.damaged or found.missing else 0)


def _say(found: Reindexed, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(vars(found)))
        return
    typer.echo(f"{found.files} files, {found.entered} entered")
    for name, files in (("damaged", found.damaged), ("missing", found.missing)):
        for file in files:
            typer.echo(f"{name}: {file}")


def _require(row: StudyRow | None, study_uid: str) -> StudyRow:
    if row is None:
        raise NoSuchStudy(study_uid)
    return row


def _seconds(text: str) -> float:
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as fault:
        raise ConfigFault(f"--since {text!r} is no date: write 2026-03-04 or 2026-03-04T10:00") from fault


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _line(one: Listed) -> tuple[str, ...]:
    row = one.study
    counts = (str(one.series), str(one.instances))
    said = (_when(row.last_received_s), row.study_uid, row.patient_id, row.study_date, row.description)
    return (*said, "\\".join(one.modalities), *counts, f"{row.state} {row.reason}".strip())


def _study(row: StudyRow) -> dict[str, Any]:
    return {
        "study": row.study_uid,
        "patient_id": row.patient_id,
        "patient_name": row.patient_name,
        "birth_date": row.patient_birth_date,
        "sex": row.patient_sex,
        "accession": row.accession_number,
        "date": row.study_date,
        "description": row.description,
        "first_received": _when(row.first_received_s),
        "last_received": _when(row.last_received_s),
        "state": row.state,
        "reason": row.reason,
    }


def _plain(one: Listed) -> dict[str, Any]:
    return {**_study(one.study), "modalities": one.modalities, "series": one.series, "instances": one.instances}


def _series(row: SeriesRow, instances: int) -> dict[str, Any]:
    return {
        "series": row.series_uid,
        "number": row.number,
        "modality": row.modality,
        "description": row.description,
        "instances": instances,
    }
