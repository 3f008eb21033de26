"""`dicomnode backup` and `dicomnode restore`."""

from pathlib import Path
from typing import Annotated

import typer

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (backup, restore):
        app.command(rich_help_panel="Care")(command)


def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; it holds identities of patients.")],
    with_studies: Annotated[bool, typer.Option("--with-studies", help="Hold every received image too.")] = False,
) -> None:
    """Save index, workflow engine, outbox, audit trail, models and config.toml to one file; the node may run on."""
    from dicomnode.backup.save import save

    opened: Opened = ctx.obj
    saved = save(opened.config, opened.path, opened.index, file, with_studies=with_studies)
    AuditTrail.of(opened.config).commanded(by=login_name(), command="backup")
    typer.echo(f"{file}: {saved.files} files, {saved.size_bytes / (1 << 20):.1f} MiB. Keep it as safe as the PACS.")
    if not with_studies:
        typer.echo("Images of finished runs are not in it: the PACS has them (--with-studies adds them).")
    if opened.config.receive.tls:
        typer.echo("TLS keys are not in it: keep them apart.")


def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that `dicomnode backup` wrote.")],
    config_to: Annotated[
        Path | None, typer.Option("--write-config", help="First write the backup's config.toml there, and use it.")
    ] = None,
) -> None:
    """Bring a backup onto an empty state folder; a backup of a newer program is refused."""
    from dicomnode.backup.restore import restore as bring_back
    from dicomnode.backup.restore import write_config

    opened: Opened = ctx.obj
    if config_to is not None:
        write_config(file, config_to)
        opened = Opened(config_to)
    restored = bring_back(file, opened.config)
    AuditTrail.of(opened.config).commanded(by=login_name(), command="restore")
    typer.echo(f"{restored.files} files of {restored.made}, made by version {restored.program}, are back.")
    typer.echo("Work in flight goes on where it was when the node starts; results keep their UIDs.")
    if restored.missing_instances:
        said = f"{restored.missing_instances} images were not in the backup: let the PACS send them again if needed"
        typer.echo(f"{said} (dicomnode catch-up).")
    for name in restored.kept_models:
        typer.echo(f"Model {name} was there already and was left as it is: dicomnode check compares its digest.")
