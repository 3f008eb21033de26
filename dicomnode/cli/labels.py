"""`dicomnode labels`: what readers said of our findings."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.cli.measuring import measure_labeler
from dicomnode.learn.harvest.corrections import Listed, link, reader_findings

app = typer.Typer(no_args_is_help=True, help="What readers said of our findings.")
app.command("measure")(measure_labeler)


@app.command("list")
def list_labels(
    ctx: typer.Context,
    unlinked: Annotated[bool, typer.Option("--unlinked", help="Only those that wait for a person.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """List findings in readers' reports, and which of ours they correct."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        found = reader_findings(session, unlinked=unlinked)
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in found], indent=2))
        return
    table = Table("number", "study", "finding", "linked by", "outline", "our finding, or why none")
    for one in found:
        outline = ("changed" if one.row.changed else "as ours") if one.row.our_tracking_uid else ""
        what = one.row.our_tracking_uid or one.row.reason
        table.add_row(str(one.row.finding_key), one.study_uid, one.row.code, one.row.how, outline, what)
    Console().print(table)


@app.command("link")
def link_label(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="Of the reader's finding, from `dicomnode labels list`.")],
    tracking_uid: Annotated[str, typer.Argument(help="Tracking Unique Identifier of our finding.")],
) -> None:
    """Say which finding of ours a reader's finding is about."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        link(session, opened.config.node.state, number, tracking_uid, login_name())
    AuditTrail.of(opened.config).commanded(by=login_name(), command=f"labels link {number} {tracking_uid}")
    typer.echo(f"the reader's finding {number} corrects our finding {tracking_uid}")


def _plain(one: Listed) -> dict[str, object]:
    return {
        "number": one.row.finding_key,
        "study_uid": one.study_uid,
        "report_uid": one.report_uid,
        "finding": one.row.code,
        "tracking_uid": one.row.tracking_uid,
        "our_tracking_uid": one.row.our_tracking_uid,
        "our_report_uid": one.row.our_report_uid,
        "how": one.row.how,
        "changed": one.row.changed,
        "reason": one.row.reason,
        "linked_by": one.row.linked_by,
    }
