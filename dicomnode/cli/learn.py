"""`dicomnode learn`: how far the node has come with learning, and a person's hand in it."""

import json
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.cli.drift import drift
from dicomnode.cli.duplicates import duplicates
from dicomnode.cli.models import bundle_folder
from dicomnode.cli.patients import add_to as add_patients_to
from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LearningRow
from dicomnode.index.learnings import CANCELLED, RUNNING, report_of, require_learning
from dicomnode.learn.asking import UNDER_WAY, Asked, Trigger, ask
from dicomnode.learn.lease import LEASE_S, SILENT_S
from dicomnode.web.learning import Learning

app = typer.Typer(no_args_is_help=True, help="Candidates: what is being learnt, and what came of it.")
add_patients_to(app)
app.command("drift")(drift)
app.command("duplicates")(duplicates)
console = Console()

AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]


@app.command("status")
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show what is being learnt now, how far it is, and what came of the last attempt for each model."""
    opened: Opened = ctx.obj
    rows = _rows(opened, "")
    shown = [row for row in rows if row.state in UNDER_WAY]
    last = {row.model: row for row in reversed(rows) if row.state not in UNDER_WAY}
    shown += last.values()
    if as_json:
        typer.echo(json.dumps({"enabled": opened.config.learn.enabled, "learning": [plain(row) for row in shown]}))
        return
    if not opened.config.learn.enabled:
        console.print("learning is off: set enabled = true in [learn] of config.toml")
    _print(shown, "nothing is being learnt, and nothing was yet")


@app.command("list")
def list_learnings(
    ctx: typer.Context,
    model: Annotated[str, typer.Option(help="Of this model only.")] = "",
    limit: int = 30,
    as_json: AsJson = False,
) -> None:
    """List attempts to make a candidate, newest first."""
    rows = _rows(ctx.obj, model)[:limit]
    if as_json:
        typer.echo(json.dumps([plain(row) for row in rows]))
        return
    _print(rows, "no candidate was ever asked for")


@app.command()
def now(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Folder name of the bundle.")],
    scope: Annotated[str, typer.Option(help='"site:NAME" or "scanner:NAME": an adapter for it alone.')] = "",
) -> None:
    """Make a candidate from the labels there are, without waiting for the calendar or the hours."""
    opened: Opened = ctx.obj
    if not opened.config.learn.enabled:
        raise ConfigFault("learning is off: set enabled = true in [learn] of config.toml, and start the train process")
    bundle_folder(opened.config.infer.folder, model)
    kind, _, named = scope.partition(":")
    if scope and (kind not in ("site", "scanner") or not named):
        raise ConfigFault(f'--scope {scope!r}: "site:NAME" as in [learn.sites], or "scanner:MANUFACTURER MODEL"')
    if kind == "site" and named not in opened.config.learn.sites:
        raise ConfigFault(f"[learn.sites] of config.toml names no site {named!r}")
    moment = datetime.now().strftime("%Y%m%dT%H%M%S")
    asked = Asked(model, Trigger.PERSON, moment, by=login_name(), scope=scope)
    with opened.index.transaction() as session:
        ask(session, asked, time.time())
    AuditTrail.of(opened.config).commanded(by=login_name(), command=f"learn now {model} {scope}".strip())
    typer.echo(f"{asked.job}: begins within seconds; `dicomnode learn status` tells how far it is")


@app.command()
def cancel(ctx: typer.Context, job: Annotated[str, typer.Argument(help="From `dicomnode learn list`.")]) -> None:
    """Stop making a candidate; what its folder holds is kept, and the version in use is untouched."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        row = require_learning(session, job, lock=True)
        if row.state not in UNDER_WAY:
            raise ConfigFault(f"{job} has ended already: {row.state}")
        row.state, row.reason, row.ended_s = CANCELLED, f"cancelled by {login_name()}", time.time()
    AuditTrail.of(opened.config).commanded(by=login_name(), command=f"learn cancel {job}")
    typer.echo(f"{job} is cancelled")


@app.command()
def report(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Folder name of the bundle.")],
    version: Annotated[str, typer.Argument(help="Version, or the beginning of its digest; empty: the newest.")] = "",
    to: Annotated[Path | None, typer.Option(help="Copy it there.")] = None,
) -> None:
    """Where the report on a candidate lies: one HTML file, to read, print and sign."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        found = report_of(session, opened.config.node.state, model, version)
    if to is not None:
        shutil.copyfile(found, to)
    typer.echo(str(to or found))


def plain(row: LearningRow) -> dict[str, object]:
    """An attempt, for scripts."""
    return {
        "job": row.job,
        "model": row.model,
        "scope": row.scope,
        "trigger": row.trigger,
        "by": row.by,
        "state": row.state,
        "stage": row.stage,
        "progress": row.progress,
        "reason": row.reason,
        "training_set": row.training_set,
        "candidate": row.candidate,
        "started_s": row.started_s,
        "ended_s": row.ended_s,
        "node": row.node,
        "seen_s": row.seen_s,
    }


def how_far(row: LearningRow | Learning) -> str:
    """The stage of an attempt in a few words: "train (candidate), epoch 3 of 40, loss 0.412, about 12 min left"."""
    said = row.progress
    part = str(said.get("part") or "")
    parts = [
        f"{row.stage} ({part})" if row.stage and part not in ("", row.stage) else row.stage or part,
        _of(said, "epoch", "epochs", "epoch") or _of(said, "done", "of", ""),
    ]
    parts += [f"{name} {_figure(said[name])}" for name in ("loss", "metric") if said.get(name) is not None]
    left_s = said.get("seconds_left")
    parts += [f"about {_time(float(left_s))} left"] if isinstance(left_s, int | float) else []
    parts += ["paused"] if said.get("paused") else []
    parts += [_where(row)] if row.state == RUNNING and row.node else []
    return ", ".join(part for part in parts if part)


def _rows(opened: Opened, model: str) -> list[LearningRow]:
    query = select(LearningRow).order_by(LearningRow.started_s.desc(), LearningRow.job)
    with opened.index.snapshot() as session:
        return list(session.scalars(query.where(LearningRow.model == model) if model else query))


def _print(rows: list[LearningRow], none: str) -> None:
    if not rows:
        console.print(none)
        return
    table = Table("job", "asked by", "state", "how far", "asked", "took", "outcome", box=None)
    for row in rows:
        took_s = (row.ended_s or time.time()) - row.started_s
        outcome = row.reason or (f"candidate {row.candidate[:12]}" if row.candidate else "")
        job = f"{row.job} ({row.scope})" if row.scope else row.job
        asked = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started_s))
        table.add_row(job, row.by, row.state, how_far(row), asked, _time(took_s), outcome)
    console.print(table)


def _where(row: LearningRow | Learning) -> str:
    """Which node makes it, and for how long it has been silent; by this machine's clock, which decides nothing."""
    silent_s = time.time() - row.seen_s if row.seen_s else 0.0
    if silent_s < SILENT_S:
        return f"on {row.node}"
    then = ": loses its turn to a node that waits" if silent_s > LEASE_S else ""
    return f"on {row.node}, NOT HEARD OF for {_time(silent_s)}{then}"


def _of(said: dict[str, object], done: str, of: str, word: str) -> str:
    if said.get(done) is None:
        return ""
    total = f" of {said[of]}" if said.get(of) is not None else ""
    return f"{word} {said[done]}{total}".strip()


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _time(seconds: float) -> str:
    """A length of time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
