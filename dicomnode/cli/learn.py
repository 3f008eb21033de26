"""`dicomnode learn`: how far the node has come with learning, and a person's hand in it."""

import json
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from dicomnode.cli.context import Opened
from dicomnode.index.learning import LearningRow

app = typer.Typer(no_args_is_help=True, help="Candidates: what is being learnt, and what came of it.")
console = Console()

UNDER_WAY = ("waiting", "running")
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
    }


def how_far(row: LearningRow) -> str:
    """The stage of an attempt in a few words: "train, epoch 3 of 40, loss 0.412, about 12 min left"."""
    said = row.progress
    parts = [row.stage, _of(said, "epoch", "epochs", "epoch") or _of(said, "done", "of", "")]
    parts += [f"{name} {_figure(said[name])}" for name in ("loss", "metric") if said.get(name) is not None]
    left_s = said.get("seconds_left")
    parts += [f"about {_time(float(left_s))} left"] if isinstance(left_s, int | float) else []
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
