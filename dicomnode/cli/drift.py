"""`dicomnode learn drift`: what has changed since a version came in use, and the alarms that stand."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.cli.times import minute
from dicomnode.index.learning import AlarmRow, DriftRow


def drift(
    ctx: typer.Context,
    model: Annotated[str, typer.Option(help="Of this model only.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Look now, whatever the hour.")] = False,
    clear: Annotated[int | None, typer.Option(help="Number of an alarm that has been seen to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the last look at drift and the alarms that stand; drift alone never makes a candidate."""
    opened: Opened = ctx.obj
    if clear is not None:
        _clear(opened, clear)
    if now:
        from dicomnode.learn.watch.daily import watch_drift

        watch_drift(opened.index, opened.config)
    with opened.index.snapshot() as session:
        figures, alarms = _last(session, model), _standing(session, model)
    if as_json:
        typer.echo(
            json.dumps({"figures": [_figure(row) for row in figures], "alarms": [_alarm(row) for row in alarms]})
        )
        return
    _show(figures, alarms)


def _clear(opened: Opened, number: int) -> None:
    from dicomnode.learn.watch.alarms import clear

    with opened.index.transaction() as session:
        row = clear(session, number)
    AuditTrail.of(opened.config).commanded(by=login_name(), command=f"learn drift --clear {number}")
    typer.echo(f"alarm {number} of {row.model} is cleared: {row.words}")


def _last(session: Session, model: str) -> list[DriftRow]:
    """Of each model the newest day's."""
    newest = select(DriftRow.model, func.max(DriftRow.day).label("day")).group_by(DriftRow.model).subquery()
    query = select(DriftRow).join(newest, (newest.c.model == DriftRow.model) & (newest.c.day == DriftRow.day))
    rows = session.scalars(query.order_by(DriftRow.model, DriftRow.alarm.desc(), DriftRow.figure))
    return [row for row in rows if model in ("", row.model)]


def _standing(session: Session, model: str) -> list[AlarmRow]:
    rows = session.scalars(select(AlarmRow).where(AlarmRow.cleared_s.is_(None)).order_by(AlarmRow.at_s))
    return [row for row in rows if model in ("", row.model)]


def _show(figures: list[DriftRow], alarms: list[AlarmRow]) -> None:
    console = Console()
    if not figures:
        console.print("drift has not been looked at yet: [learn.watch].daily_at says when, --now looks now")
    else:
        table = Table("model", "day", "figure", "p, corrected", "studies", "what was seen")
        for row in figures:
            mark = "[bold red]" if row.alarm else ""
            p = "" if row.p is None else f"{row.p:.2g}"
            table.add_row(row.model, row.day, f"{mark}{row.figure}", p, str(row.studies), row.words)
        console.print(table)
    for alarm in alarms:
        said = f"{alarm.model}, {alarm.kind}, {minute(alarm.at_s)}: {alarm.words}"
        console.print(f"[bold red]alarm {alarm.alarm_key}[/bold red] {said}")


def _figure(row: DriftRow) -> dict[str, object]:
    names = ("model", "day", "figure", "value", "p", "studies", "alarm", "words")
    return {name: getattr(row, name) for name in names}


def _alarm(row: AlarmRow) -> dict[str, object]:
    names = ("alarm_key", "model", "kind", "cause", "words", "at_s", "told_s")
    return {name: getattr(row, name) for name in names}
