"""`dicomnode status | runs | retry | cancel | pause | resume | explain`: the work, and a person's hand in it."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.deliver.status import held_up
from dicomnode.errors import ConfigFault
from dicomnode.index.runs import require_run
from dicomnode.index.schema import RunRow
from dicomnode.index.work import (
    ListedRun,
    cancel_run,
    dismiss_deliveries,
    last_refusals,
    list_runs,
    pause,
    resume,
    retry_deliveries,
    retry_run,
    retry_study,
    run_by_prefix,
    unwell,
)
from dicomnode.learn.harvest.corrections import reader_findings
from dicomnode.serve.beats import STALE_S
from dicomnode.web.snapshot import Snapshot, snapshot

if TYPE_CHECKING:
    from dicomnode.durable import Waiting

PANEL = "Studies and runs"
GIB = 1 << 30
Scope = Annotated[str, typer.Argument(help="all, model:NAME or destination:NAME.")]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]
console = Console()


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (status, runs, retry, cancel, dismiss, pause_, resume_, explain):
        app.command(command.__name__.rstrip("_"), rich_help_panel=PANEL)(command)


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show what the node is doing and what waits for a person."""
    from dicomnode import durable

    opened: Opened = ctx.obj
    seen = snapshot(opened.config, opened.index)
    waiting = [] if seen.is_full else durable.waiting(opened.config.engine_url)  # it could not be opened
    with opened.index.snapshot() as session:
        studies, parked, deliveries = unwell(session, 20)
        refused = last_refusals(session, 5)
        waits = held_up(session, time.time())
        unlinked = len(reader_findings(session, unlinked=True))
    wrong = [f"study {s.study_uid} is {s.state}: {s.reason}" for s in studies]
    wrong += [f"run {r.run_key[:12]} ({r.model}) is parked: {r.reason}" for r in parked]
    wrong += [f"a result for {d.destination} is parked: {d.reason}" for d in deliveries]
    wrong += [str(wait) for wait in waits]
    if unlinked:
        wrong.append(f"{unlinked} finding(s) of readers match none of ours: `dicomnode labels list --unlinked`")
    wrong += [f"refused {_ago(r.at_s)} from {r.calling_ae or r.address} ({r.status}): {r.reason}" for r in refused]
    wrong += seen.versions.attention()
    if as_json:
        queues = [{"queue": w.queue, "status": w.status, "count": w.count} for w in waiting]
        typer.echo(json.dumps({**_plain(seen), "queues": queues, "attention": wrong}))
        return
    _print_status(seen, waiting, wrong)


def runs(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(help="queued, running, delivering, done, parked or cancelled.")] = "",
    study: Annotated[str, typer.Option(help="Study Instance UID.")] = "",
    limit: int = 30,
    as_json: AsJson = False,
) -> None:
    """List runs: one study through one model."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        found = list_runs(session, status, study, limit)
    if as_json:
        typer.echo(json.dumps([_run_plain(one) for one in found]))
        return
    table = Table(
        "run", "study", "model", "rev.", "priority", "status", "delivered", "age", "finding / reason", box=None
    )
    for one in found:
        table.add_row(*_run_line(one))
    console.print(table if found else "no runs")


def retry(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="Beginning of a run's key.")] = "",
    study: Annotated[str, typer.Option(help="Decide again on this Study Instance UID.")] = "",
    destination: Annotated[str, typer.Option(help='Send parked results again; "all" for every destination.')] = "",
) -> None:
    """Queue a parked run, a parked study or parked results again."""
    opened: Opened = ctx.obj
    if sum(map(bool, (run, study, destination))) != 1:
        raise ConfigFault("name one of: a run, --study UID, --destination NAME")
    with opened.index.transaction() as session:
        if run:
            said = retry_run(session, run_by_prefix(session, run))
        elif study:
            retry_study(session, study)
            said = f"study {study} will be decided again"
        else:
            said = f"{retry_deliveries(session, '' if destination == 'all' else destination)} result(s) queued again"
    _audited(opened, f"retry {destination}".strip(), study_uid=study, run_key=run)
    typer.echo(said)


def cancel(ctx: typer.Context, run: Annotated[str, typer.Argument(help="Beginning of a run's key.")]) -> None:
    """Stop a run before it sends anything."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        row = require_run(session, run_by_prefix(session, run).run_key, lock=True)
        cancel_run(row)
    _audited(opened, "cancel", run_key=row.run_key)
    typer.echo(f"run {row.run_key[:12]} is cancelled")


def dismiss(ctx: typer.Context, run: Annotated[str, typer.Argument(help="Beginning of a run's key.")]) -> None:
    """Say that you have settled by hand what is parked of a run's deliveries; it is not tried again."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        row = run_by_prefix(session, run)
        count = dismiss_deliveries(session, row)
    _audited(opened, "dismiss", run_key=row.run_key)
    typer.echo(f"{count} parked result(s) of run {row.run_key[:12]} are settled")


def pause_(ctx: typer.Context, scope: Scope = "all") -> None:
    """Stop analysing and sending; receiving goes on."""
    opened: Opened = ctx.obj
    scope = _scope(opened, scope)
    with opened.index.transaction() as session:
        pause(session, scope, login_name())
    _audited(opened, f"pause {scope}")
    typer.echo(f"paused: {scope}; receiving goes on. `dicomnode resume {scope}` ends it")


def resume_(ctx: typer.Context, scope: Scope = "all") -> None:
    """End a pause."""
    opened: Opened = ctx.obj
    scope = _scope(opened, scope)
    with opened.index.transaction() as session:
        ended = resume(session, scope)
    _audited(opened, f"resume {scope}")
    typer.echo(f"resumed: {scope}" if ended else f"{scope} was not paused")


def explain(ctx: typer.Context, study: Annotated[str, typer.Argument(help="Study Instance UID.")]) -> None:
    """Say for each model and series of a study why it was taken or not."""
    from dicomnode.cli.explaining import explained

    opened: Opened = ctx.obj
    console.print(explained(opened.config, opened.index, study), highlight=False)


def _scope(opened: Opened, said: str) -> str:
    """The scope that a person names: "all", "model:NAME", "destination:NAME", or a name that is only one of both."""
    kind, _, name = said.rpartition(":")
    known = {"destination": name in opened.config.peers, "model": (opened.config.infer.folder / name).is_dir()}
    fits = [what for what in ("destination", "model") if known[what] and kind in ("", what)]
    if said == "all":
        return said
    if len(fits) != 1:
        why = "is both a model and a destination" if fits else "is neither a bundle nor a [peers.NAME]"
        raise ConfigFault(f"{said!r} {why}: write all, model:NAME or destination:NAME")
    return f"{fits[0]}:{name}"


def _audited(opened: Opened, command: str, *, study_uid: str = "", run_key: str = "") -> None:
    AuditTrail.of(opened.config).commanded(by=login_name(), command=command, study_uid=study_uid, run_key=run_key)


def _print_status(seen: Snapshot, waiting: list["Waiting"], wrong: list[str]) -> None:
    from dicomnode.cli.learn import how_far

    table = Table(box=None, show_header=False)
    ages = [
        f"{name} ({'alive' if age <= STALE_S else f'SILENT for {age:.0f} s'})" for name, age in seen.beat_age_s.items()
    ]
    table.add_row("processes", ", ".join(sorted(ages)) or "none running")
    table.add_row("studies", _counts(seen.studies))
    table.add_row("runs", _counts({f"{model} {status}": n for (model, status), n in seen.runs.items()}))
    table.add_row("deliveries", _counts({f"{there} {status}": n for (there, status), n in seen.deliveries.items()}))
    table.add_row("queues", _counts({f"{w.queue} {w.status.lower()}": w.count for w in waiting}))
    for name, words in seen.versions.rows():
        table.add_row(name, words)
    for one in seen.learning:
        table.add_row(
            "learning", f"{one.model} {one.scope}".strip() + f" {one.state}: {how_far(one) or 'its turn comes'}"
        )
    table.add_row("paused", ", ".join(seen.paused) or "nothing")
    table.add_row("disk", f"{seen.disk_free_bytes / GIB:.1f} GiB free, reserve {seen.reserve_bytes / GIB:.1f} GiB")
    console.print(table, highlight=False)
    for line in (*seen.faults(), *wrong):
        console.print(f"[yellow]![/] {line}", highlight=False)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"


def _plain(seen: Snapshot) -> dict[str, Any]:
    return {
        "studies": seen.studies,
        "runs": [{"model": m, "status": s, "count": n} for (m, s), n in seen.runs.items()],
        "deliveries": [{"destination": d, "status": s, "count": n} for (d, s), n in seen.deliveries.items()],
        "paused": list(seen.paused),
        "beat_age_s": seen.beat_age_s,
        "disk_free_bytes": seen.disk_free_bytes,
        "refused": seen.refused,
        "faults": list(seen.faults()),
        "versions": seen.versions.plain(),
        "learning": [one.plain() for one in seen.learning],
    }


def _run_plain(one: ListedRun) -> dict[str, Any]:
    run = one.run
    named = ("run_key", "model", "revision", "priority", "status", "stage", "reason", "summary", "seconds", "attempt")
    facts = {name: getattr(run, name) for name in named}
    return facts | {"study_uid": one.study_uid, "delivered": one.delivered, "to_deliver": one.to_deliver}


def _run_line(one: ListedRun) -> tuple[str, ...]:
    run = one.run
    where = f"{run.status} ({run.stage})" if run.status == "running" else run.status
    return (
        run.run_key[:12],
        f"…{one.study_uid[-14:]}",
        run.model,
        str(run.revision),
        run.priority,
        where,
        f"{one.delivered}/{one.to_deliver}",
        _ago(run.created_s),
        _finding(run),
    )


def _finding(run: RunRow) -> str:
    said = ", ".join(f"{name} {value}" for name, value in run.summary.items())
    return run.reason or said


def _ago(at_s: float) -> str:
    seconds = max(0.0, time.time() - at_s)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
