"""`dicomnode models shadow | promote | rollback | log | replay`: versions made here, and who answers for them."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.cli.times import minute
from dicomnode.index.learning import DecisionRow, LearnedVersionRow, ShadowAnswerRow
from dicomnode.index.schema import StudyRow
from dicomnode.index.work import run_by_prefix
from dicomnode.learn.versions.promote import Asked, find_version
from dicomnode.learn.versions.promote import promote as promote_version
from dicomnode.learn.versions.record import checked, keep_head
from dicomnode.learn.versions.rollback import rollback as roll_back
from dicomnode.learn.versions.shadow import disagreements, end_shadows, period, start_shadow

Name = Annotated[str, typer.Argument(help="Folder name of the bundle.")]
Version = Annotated[str, typer.Argument(help='"1.0.0+learned.2", "learned.2", or the beginning of its digest.')]
By = Annotated[str, typer.Option(help="Who answers for it: first and last name.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
LATEST = 30


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (versions, shadow, promote, rollback, log):
        app.command(command.__name__)(command)
    app.command("self-test")(self_test)
    app.command("replay")(replay)


def versions(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """List versions of a model that were made here."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        query = select(LearnedVersionRow).filter_by(model=name).order_by(LearnedVersionRow.created_s.desc())
        rows = session.scalars(query).all()
    if as_json:
        names = ("version", "digest", "state", "verdict", "research", "recipe", "scope", "parent", "base", "created_s")
        typer.echo(json.dumps([{one: getattr(row, one) for one in names} for row in rows], indent=2))
        return
    table = Table("version", "state", "verdict", "recipe", "for", "made", "digest", box=None)
    for row in rows:
        state = f"{row.state} (RESEARCH)" if row.research and row.state == "in use" else row.state
        table.add_row(
            row.version, state, row.verdict, row.recipe, row.scope or "all", minute(row.created_s), row.digest[:12]
        )
    Console().print(table if rows else f"no version of {name} was made here")


def shadow(
    ctx: typer.Context,
    name: Name,
    start: Annotated[str, typer.Option(help="Begin the shadow period of this version.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say how far candidates that run in the shadow agree with the version in use, and where they do not."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        if start:
            row = find_version(session, name, start)
            start_shadow(session, opened.config, row.digest)
        end_shadows(session, time.time())
        query = select(LearnedVersionRow).filter_by(model=name).order_by(LearnedVersionRow.created_s.desc())
        told = [_shadow_told(session, row) for row in session.scalars(query) if period(session, row.digest)]
    keep_head(opened.index, opened.config.node.state)
    if start:
        _audited(opened, f"models shadow {name} --start {start}")
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for one in told:
        typer.echo(f"{one['version']}: {one['words']}")
        listed = one["differing"]
        for study in listed[:LATEST] if isinstance(listed, list) else ():
            typer.echo(f"  {study['study_uid']}: {study['words']}")
    if not told:
        typer.echo(f"no version of {name} has run in the shadow")


def promote(
    ctx: typer.Context,
    name: Name,
    version: Version,
    by: By,
    reason: Reason,
    research: Annotated[
        bool,
        typer.Option("--research", help="Against the gate's verdict: every result is titled RESEARCH."),
    ] = False,
) -> None:
    """Put a version in use. Refused without the verdict PROMOTE and a finished shadow period."""
    opened: Opened = ctx.obj
    row = promote_version(opened.index, opened.config, name, version, Asked(by, reason, research))
    AuditTrail.of(opened.config).approved(by=by, model=name, digest=row.digest)
    marked = "; every result is titled RESEARCH" if row.research else ""
    typer.echo(f"{name} {row.version} answers{_for(row.scope)}: promoted by {by}, digest {row.digest}{marked}")


def rollback(
    ctx: typer.Context,
    name: Name,
    scope: Annotated[str, typer.Option(help='"site:NAME" or "scanner:NAME"; empty: the version for all.')] = "",
    by: By = "",
    reason: Reason = "by command",
) -> None:
    """Put back in use what answered before; studies in flight are analysed by that."""
    opened: Opened = ctx.obj
    person = by or login_name()
    done = roll_back(opened.index, opened.config, name, by=person, reason=reason, scope=scope)
    AuditTrail.of(opened.config).approved(by=person, model=name, digest=done.from_digest, approved=False)
    typer.echo(done.words())


def log(
    ctx: typer.Context,
    verify: Annotated[bool, typer.Option("--verify", help="Look for changes, deletions and moves in it.")] = False,
    as_json: AsJson = False,
    limit: int = LATEST,
) -> None:
    """Show the record of decisions: what was made, judged, promoted and rolled back, by whom and why."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        query = select(DecisionRow).order_by(DecisionRow.number.desc()).limit(limit)
        rows = session.scalars(query).all()[::-1]
        found = checked(session, opened.config.node.state) if verify else None
    if as_json:
        faults = {"entries": found.entries, "faults": list(found.faults)} if found else {}
        typer.echo(json.dumps({"decisions": [_plain(row) for row in rows], **faults}, indent=2))
    else:
        _print_log(rows)
        if found:
            typer.echo("\n".join(found.faults) or f"{found.entries} entries, each as it was written; none is missing")
    if found and found.faults:
        raise typer.Exit(1)


def self_test(
    ctx: typer.Context,
    name: Name,
    add: Annotated[Path | None, typer.Option(help="Add the images of this folder to the set, answered as now.")] = None,
    case: Annotated[str, typer.Option(help="Name of that case, without anything that leads to a person.")] = "case",
) -> None:
    """Ask a model its self-test set now: a few fixed images whose answers are known."""
    from dicomnode.cli.self_testing import added, tested

    opened: Opened = ctx.obj
    if add is not None:
        typer.echo(added(opened.config, opened.index, name, add, case))
        return
    told = tested(opened.config, opened.index, name)
    for one in told:
        typer.echo(one.words)
    if not all(one.passed for one in told):
        raise typer.Exit(1)


def replay(ctx: typer.Context, run: Annotated[str, typer.Argument(help="Beginning of a run's key.")]) -> None:
    """Do a stored run again with the version it was made with, and compare; nothing is kept or sent."""
    from dicomnode.cli.self_testing import replayed

    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        key = run_by_prefix(session, run).run_key
    told = replayed(opened.config, opened.index, key)
    typer.echo(told.words())
    if told.differences:
        raise typer.Exit(1)


def _print_log(rows: Sequence[DecisionRow]) -> None:
    table = Table("number", "when (UTC)", "what", "model", "version", "by", "reason", box=None)
    for row in rows:
        table.add_row(str(row.number), minute(row.at_s), row.what, row.model, row.digest[:12], row.by, row.reason)
    Console().print(table if rows else "nothing was decided yet")


def _shadow_told(session: Session, row: LearnedVersionRow) -> dict[str, object]:
    so_far = period(session, row.digest)
    differing = [_differing(session, one) for one in disagreements(session, row.digest)]
    told: dict[str, object] = {"version": row.version, "digest": row.digest, "differing": differing}
    if so_far is not None:
        ended = so_far.row.ended_s is not None
        told |= {"compared": so_far.compared, "agreed": so_far.agreed, "ended": ended}
        told["words"] = so_far.words(time.time())
    return told


def _differing(session: Session, answer: ShadowAnswerRow) -> dict[str, object]:
    study = session.get(StudyRow, answer.study_key)
    return {
        "study_uid": study.study_uid if study else "",
        "agrees": answer.agrees,
        "words": answer.words,
        "figures": answer.figures,
    }


def _plain(row: DecisionRow) -> dict[str, object]:
    names = ("number", "at_s", "what", "model", "digest", "by", "reason", "details", "before", "hash")
    return {name: getattr(row, name) for name in names}


def _for(scope: str) -> str:
    return f" for {scope}" if scope else ""


def _audited(opened: Opened, command: str) -> None:
    AuditTrail.of(opened.config).commanded(by=login_name(), command=command)
