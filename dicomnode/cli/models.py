"""`dicomnode models`: which bundles are there, and which of them may run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dicomnode.audit import AuditTrail, login_name
from dicomnode.bundles.approval import approve as approve_bundle
from dicomnode.bundles.approval import revoke as revoke_bundle
from dicomnode.bundles.approval import version_of
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.cli import versions
from dicomnode.cli.context import Opened
from dicomnode.cli.times import minute
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.models import version_row, version_rows
from dicomnode.index.schema import ModelVersionRow

app = typer.Typer(no_args_is_help=True, help="Bundles and their approval; versions made here.")
versions.add_to(app)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Name = Annotated[str, typer.Argument(help="Folder name of the bundle.")]
UNREADABLE = "unusable"


@dataclass(frozen=True)
class Shown:
    """One bundle, as the tables show it."""

    name: str
    version: str
    kind: str
    digest: str
    state: str
    """approved, revoked, changed (another version of it was approved), not approved, unusable."""
    by: str = ""
    since: str = ""
    fault: str = ""


@app.command("list")
def list_models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every bundle in the models folder, and whether it may run."""
    opened: Opened = ctx.obj
    shown = [shown_of(opened.index, folder) for folder in bundles_in(opened.config.infer.folder)]
    if as_json:
        typer.echo(json.dumps([vars(one) for one in shown], indent=2))
        return
    table = Table("model", "version", "kind", "state", "by", "since", "digest")
    for one in shown:
        table.add_row(one.name, one.version, one.kind, one.state, one.by, one.since, one.digest[:12])
    Console().print(table)
    for one in shown:
        if one.fault:
            typer.echo(f"{one.name}: {one.fault}", err=True)


@app.command()
def show(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """One bundle: what it is for, its outputs, and every version that was ever approved."""
    opened: Opened = ctx.obj
    folder = bundle_folder(opened.config.infer.folder, name)
    now, dicom = shown_of(opened.index, folder), load_dicom_toml(folder)
    with opened.index.transaction() as session:
        approved = [_version_of_row(row) for row in version_rows(session, name)]
    if as_json:
        told = {"intended_use": dicom.model.intended_use, "outputs": list(dicom.output_names), "versions": approved}
        typer.echo(json.dumps(vars(now) | told, indent=2))
        return
    typer.echo(f"{dicom.model.title}, {now.version}: {now.state}\n{dicom.model.intended_use}")
    typer.echo(f"digest {now.digest}\noutputs: {', '.join(dicom.output_names)}")
    table = Table("version", "approved", "by", "revoked", "digest")
    for row in approved:
        table.add_row(row["version"], row["approved"], row["by"], row["revoked"], row["digest"][:12])
    Console().print(table)


@app.command()
def approve(
    ctx: typer.Context,
    name: Name,
    by: Annotated[str, typer.Option(help="Who answers for it; empty: the user of this session.")] = "",
) -> None:
    """Allow a bundle to run, exactly as its files are now. It is code: read it first."""
    opened: Opened = ctx.obj
    person = by or login_name()
    version = approve_bundle(opened.index, bundle_folder(opened.config.infer.folder, name), person)
    AuditTrail.of(opened.config).approved(by=person, model=version.name, digest=version.digest)
    typer.echo(f"{version.name} {version.version} may run: approved by {person}, digest {version.digest}")


@app.command()
def revoke(ctx: typer.Context, name: Name) -> None:
    """Forbid every version of a bundle; runs that need it are parked."""
    opened: Opened = ctx.obj
    digests = revoke_bundle(opened.index, name)
    if not digests:
        typer.echo(f"no version of {name} was approved", err=True)
        raise typer.Exit(1)
    for digest in digests:
        AuditTrail.of(opened.config).approved(by=login_name(), model=name, digest=digest, approved=False)
    typer.echo(f"{name}: approval of {len(digests)} version(s) revoked")


def bundles_in(folder: Path) -> tuple[Path, ...]:
    """The bundles of a models folder."""
    return tuple(sorted(path.parent for path in folder.glob("*/dicom.toml")))


def bundle_folder(folder: Path, name: str) -> Path:
    """The folder of one bundle.

    Raises:
        typer.BadParameter: there is none of that name.
    """
    known = {path.name: path for path in bundles_in(folder)}
    if name not in known:
        raise typer.BadParameter(f"there is no bundle {name} in {folder}; there are: {', '.join(known) or 'none'}")
    return known[name]


def shown_of(index: Index, folder: Path) -> Shown:
    """One bundle and whether it may run."""
    try:
        version, kind = version_of(folder), load_dicom_toml(folder).model.kind
    except NodeError as fault:
        return Shown(folder.name, "", "", "", UNREADABLE, fault=str(fault))
    with index.transaction() as session:
        row = version_row(session, version.digest)
        others = any(other.revoked_s is None for other in version_rows(session, version.name))
    state = _state(row, others=others)
    by, since = (row.approved_by, minute(row.approved_s)) if row is not None else ("", "")
    return Shown(version.name, version.version, str(kind), version.digest, state, by, since)


def _state(row: ModelVersionRow | None, *, others: bool) -> str:
    if row is None:
        return "changed" if others else "not approved"
    return "approved" if row.revoked_s is None else "revoked"


def _version_of_row(row: ModelVersionRow) -> dict[str, str]:
    revoked = "" if row.revoked_s is None else minute(row.revoked_s)
    since = minute(row.approved_s)
    return {
        "version": row.version, "approved": since, "by": row.approved_by, "revoked": revoked,
        "digest": row.digest, "device_uid": row.device_uid,
    }  # fmt: skip
