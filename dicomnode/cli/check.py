"""`dicomnode check`: what is wrong with this node, and what to do about it."""

import json
from typing import Annotated

import typer
from rich.console import Console

from dicomnode.check.finding import Finding, Level, worst
from dicomnode.cli.context import Opened

MARK = {Level.OK: "[green]ok[/]     ", Level.WARNING: "[yellow]warning[/]", Level.FAULT: "[bold red]fault[/]  "}


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel="Care")(check)


def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
) -> None:
    """Look at config, disk, clock, device, models and peers, and say what to fix.

    Exit code 0: nothing keeps the node from working; 1: something does.
    """
    from dicomnode.check.everything import everything

    opened: Opened = ctx.obj
    found: list[Finding] = []
    for finding in everything(opened):
        found.append(finding)
        if not as_json:
            _tell(finding)
    level = worst(found)
    if as_json:
        typer.echo(json.dumps({"level": level, "findings": [finding.as_dict() for finding in found]}, indent=2))
    elif level is Level.OK:
        typer.echo("Nothing to fix.")
    raise typer.Exit(1 if level is Level.FAULT or (strict and level is Level.WARNING) else 0)


def _tell(finding: Finding) -> None:
    console = Console(soft_wrap=True)
    console.print(f"{MARK[finding.level]} [bold]{finding.part}[/]: ", end="", highlight=False)
    console.print(finding.says, highlight=False, markup=False)
    if finding.fix:
        console.print(f"        → {finding.fix}", highlight=False, markup=False)
