"""The `dicomnode` command. Torch and the other heavy parts are imported by the command that needs them."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from dicomnode import __version__
from dicomnode.bench.app import app as bench_app
from dicomnode.cli import backup, catch_up, check, demo, labels, learn, models, processes, runs, studies
from dicomnode.cli.context import Opened
from dicomnode.errors import NodeError
from dicomnode.full_disk import is_full

FAULT = 2

app = typer.Typer(
    name="dicomnode",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="A PACS-integrated DICOM node: studies in, AI findings out as DICOM SEG and SR. Not for clinical use.",
)
for part in (demo, processes, runs, check, catch_up, backup):
    part.add_to(app)
app.add_typer(studies.app, name="studies", rich_help_panel="Studies and runs")
app.command("reindex", rich_help_panel="Studies and runs")(studies.reindex_)
app.add_typer(labels.app, name="labels", rich_help_panel="Studies and runs")
app.add_typer(models.app, name="models", rich_help_panel="Models")
app.add_typer(learn.app, name="learn", rich_help_panel="Models")
app.add_typer(bench_app, name="bench", rich_help_panel="Care")


def _on_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dicomnode {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="DICOMNODE_CONFIG",
            help="The config.toml; else ./ and /etc/dicomnode/ are looked at.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_on_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Open the node that a command works on."""
    ctx.obj = Opened(config)


def main() -> None:
    """Run a command; a fault that the node can name is printed without a traceback, exit code 2."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for answers
    try:
        app()
    except NodeError as fault:
        _give_up(str(fault))
    except DBAPIError as fault:
        if not is_full(fault):
            raise
        _give_up("the disk of the state folder is full, and the index cannot be opened: make room there first")


def _give_up(reason: str) -> NoReturn:
    Console(stderr=True).print(f"[bold red]dicomnode:[/] {reason}", highlight=False)
    sys.exit(FAULT)
