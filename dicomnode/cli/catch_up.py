"""`dicomnode catch-up`: fetch what the PACS has and never reached us."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault

if TYPE_CHECKING:
    from dicomnode.choose.catch_up import CaughtUp

AGO = re.compile(r"(\d{1,4})([dh])")


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("catch-up", rich_help_panel="Studies and runs")(catch_up)


def catch_up(
    ctx: typer.Context,
    since: Annotated[str, typer.Option(help="A day (2026-03-04), or how long ago (2d, 12h).")] = "2d",
    source: Annotated[str, typer.Option(help="Only this peer; else every source of a route.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is missing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Find by C-FIND what the PACS has and never reached this node, and fetch it by C-MOVE.

    Exit code 0: everything came over; 1: something did not.
    """
    from dicomnode.choose import catch_up as room

    opened: Opened = ctx.obj
    begin = moment(since, datetime.now().astimezone())
    AuditTrail.of(opened.config).commanded(by=login_name(), command=f"catch-up --since {since}")
    found = {}
    with Progress(console=Console(stderr=True), disable=as_json, transient=True) as bars:
        for name in sources(opened.config, source):
            shown = _bar(bars, name)
            found[name] = room.catch_up(opened.index, opened.config, name, begin, fetch=not dry_run, progress=shown)
    for name, done in found.items():
        typer.echo(json.dumps({"source": name, **asdict(done)}) if as_json else _said(name, done))
    raise typer.Exit(1 if any(done.failed for done in found.values()) else 0)


def moment(text: str, now: datetime) -> datetime:
    """The moment that "2026-03-04", "20260304", "2d" or "12h" stands for.

    Raises:
        ConfigFault: it stands for none, or for one to come.
    """
    if ago := AGO.fullmatch(text):
        return now - timedelta(**{"days" if ago[2] == "d" else "hours": int(ago[1])})
    try:
        found = datetime.strptime(text.replace("-", ""), "%Y%m%d").replace(tzinfo=now.tzinfo)
    except ValueError:
        found = None
    if found is None or found > now:
        raise ConfigFault(f"--since {text}: write a day (2026-03-04) or how long ago (2d, 12h)")
    return found


def sources(config: Config, wanted: str) -> list[str]:
    """Peers to ask: the one wanted, else the sources of the routes.

    Raises:
        ConfigFault: there is none.
    """
    known = list(config.sources)
    found = [wanted] if wanted else known
    if not found or (wanted and wanted not in known):
        named = f"no route has source = {wanted!r}" if wanted else "no route names a source"
        raise ConfigFault(f"{named}: set `source` in [[routes]] to the peer that is asked")
    return found


def _bar(bars: Progress, name: str) -> Callable[[int, int], None]:
    bar = bars.add_task(name)

    def show(done: int, total: int) -> None:
        bars.update(bar, completed=done, total=total)

    return show


def _said(name: str, done: "CaughtUp") -> str:
    whole = sum(missing.whole for missing in done.missing)
    lines = [
        f"{name}: {done.looked_at} studies there, {whole} never reached us and {len(done.missing) - whole} in part; "
        f"{done.instances} instances fetched"
    ]
    lines += [f"  {study_uid}: {reason}" for study_uid, reason in done.failed.items()]
    return "\n".join(lines)
