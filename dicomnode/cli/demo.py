"""`dicomnode demo`: see the whole path work on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

PANEL = "Start here"
WIDTH = 140
"""Of the table where nobody watches a terminal."""


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(rich_help_panel=PANEL)(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything it makes; emptied first.")] = Path("demo-output"),
) -> None:
    """Send real studies through a PACS and the node, and show what comes back."""
    from dicomnode.demo.run import run_demo

    raise typer.Exit(0 if run_demo(out.resolve(), Console(width=None if sys.stdout.isatty() else WIDTH)) else 1)
