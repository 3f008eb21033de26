"""`dicomnode learn duplicates`: near-duplicate pixels of two patients, for a person to look at."""

import json
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from dicomnode.cli.context import Opened
from dicomnode.index.learning import DuplicateRow

SHORT = 12
console = Console()


def duplicates(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """List images of two patients that are nearly the same, newest first: one person under two IDs, or a copy."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        rows = session.scalars(select(DuplicateRow).order_by(DuplicateRow.at_s.desc(), DuplicateRow.one)).all()
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in rows]))
        return
    table = Table("model", "one", "other", "distance", "found", box=None)
    for row in rows:
        found = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.at_s))
        table.add_row(row.model, row.one[:SHORT], row.other[:SHORT], f"{row.distance:.3g}", found)
    console.print(table if rows else "no near-duplicates of two patients were found")


def _plain(row: DuplicateRow) -> dict[str, object]:
    return {
        "model": row.model, "one": row.one[:SHORT], "other": row.other[:SHORT], "distance": row.distance,
        "at_s": row.at_s,
    }  # fmt: skip
