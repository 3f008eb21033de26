"""`dicomnode learn forget | merge | export-dicom`: what a person decides about whole patients."""

from pathlib import Path
from typing import Annotated

import typer

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened

PatientId = Annotated[str, typer.Argument(help="Patient ID, as in the images.")]
Issuer = Annotated[str, typer.Option(help="Issuer of Patient ID; empty: under every issuer, or none.")]
Reason = Annotated[str, typer.Option(help="Why, for the record; no identity.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("forget")(forget_patient)
    app.command("merge")(merge_patients)
    app.command("export-dicom")(export_dicom)


def forget_patient(ctx: typer.Context, patient_id: PatientId, issuer: Issuer = "", reason: Reason = "") -> None:
    """Forget a patient: delete items and labels, exclude for ever, and say which versions saw them."""
    from dicomnode.learn.sets.forget import forget

    opened: Opened = ctx.obj
    done = forget(opened.index, opened.config, patient_id=patient_id, issuer=issuer, by=login_name(), reason=reason)
    AuditTrail.of(opened.config).commanded(by=login_name(), command="learn forget")
    typer.echo(done.words())


def merge_patients(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(help="Patient ID that is no longer used.")],
    into: Annotated[str, typer.Argument(help="Patient ID that stays.")],
    old_issuer: Issuer = "",
    into_issuer: Issuer = "",
    reason: Reason = "",
) -> None:
    """Say that two Patient IDs are one person: both belong to one split from now on."""
    from dicomnode.learn.harvest.merging import merge_patients as merged

    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        pair = (old_issuer, old), (into_issuer, into)
        done = merged(session, opened.config.node.state, *pair, by=login_name(), reason=reason)
    AuditTrail.of(opened.config).commanded(by=login_name(), command="learn merge")
    typer.echo(done.words())


def export_dicom(
    ctx: typer.Context,
    target: Annotated[Path, typer.Argument(help="New folder.")],
    studies: Annotated[list[str], typer.Argument(help="Study Instance UIDs.")],
    shift_dates: Annotated[bool, typer.Option("--shift-dates", help="Move dates instead of removing them.")] = False,
    characteristics: Annotated[bool, typer.Option("--characteristics", help="Keep age, sex, size, weight.")] = False,
) -> None:
    """Write studies de-identified (PS3.15 Basic Profile); images that may show text in their pixels stay here."""
    from dicomnode.learn.deidentify.export import export_studies
    from dicomnode.learn.deidentify.table import Options

    opened: Opened = ctx.obj
    options = Options(shift_dates=shift_dates, characteristics=characteristics)
    done = export_studies(opened.index, opened.config, studies, target, options)
    AuditTrail.of(opened.config).commanded(by=login_name(), command="learn export-dicom")
    typer.echo(f"{done.images} image(s) written to {target}")
    for reason, count in done.refused.items():
        typer.echo(f"{count} image(s) stay here: {reason}", err=True)
