"""`dicomnode labels`: what readers and others said of studies, and a person's hand in it."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from sqlalchemy import func, select

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.cli.labels_change import add_to
from dicomnode.cli.measuring import measure_labeler
from dicomnode.cli.times import minute
from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LabelRow
from dicomnode.learn.harvest.attaching import in_doubt
from dicomnode.learn.harvest.corrections import Listed, link, reader_findings
from dicomnode.learn.harvest.documents import DOCUMENTS
from dicomnode.learn.harvest.drawing_labels import DRAWINGS
from dicomnode.learn.harvest.meanings import Meanings, meanings_of, outputs_of
from dicomnode.learn.harvest.objects import strangers
from dicomnode.learn.harvest.resolve import Conflict, conflicts
from dicomnode.learn.values import LabelState, Source, What

app = typer.Typer(no_args_is_help=True, help="Labels: what readers and others said of studies.")
console = Console()
AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]
STUDY = Column("study", overflow="fold", min_width=22)
"""A UID is shown whole, so that it can be copied."""
STYLES = {LabelState.ATTACHED: "green", LabelState.WAITING: "yellow", LabelState.REFUSED: "red"}


@app.command("list")
def list_labels(  # noqa: PLR0913 - a command's options
    ctx: typer.Context,
    model: Annotated[str, typer.Option(help="Of this model only.")] = "",
    state: Annotated[LabelState | None, typer.Option(help="Only these.")] = None,
    source: Annotated[Source | None, typer.Option(help="From there only.")] = None,
    study: Annotated[str, typer.Option(help="Of this Study Instance UID only.")] = "",
    limit: int = 50,
    findings: Annotated[bool, typer.Option("--findings", help="Readers' findings beside ours, instead.")] = False,
    unlinked: Annotated[bool, typer.Option("--unlinked", help="Of these, only those that match none of ours.")] = False,
    as_json: AsJson = False,
) -> None:
    """List labels, newest first; with --findings what readers' reports say of our findings, one by one."""
    opened: Opened = ctx.obj
    if findings or unlinked:
        _list_findings(opened, unlinked=unlinked, as_json=as_json)
        return
    query = select(LabelRow).order_by(LabelRow.label_key.desc()).limit(limit)
    for column, wanted in ((LabelRow.model, model), (LabelRow.state, state), (LabelRow.source, source),
                           (LabelRow.study_uid, study)):  # fmt: skip
        query = query.where(column == wanted) if wanted else query
    with opened.index.snapshot() as session:
        rows = session.scalars(query).all()
        total = session.scalar(select(func.count()).select_from(LabelRow)) or 0
        others = strangers(session, (*DOCUMENTS, *DRAWINGS), opened.config.learn.sources)
        loose = len(reader_findings(session, unlinked=True))
        doubts = in_doubt(session)
    if as_json:
        typer.echo(json.dumps([plain(row) for row in rows], indent=2))
        return
    _print_labels(rows, meanings_of(opened.config))
    for line in (*_beside(len(rows), total, others, loose), *_doubts(doubts)):
        console.print(f"[dim]{line}[/]", highlight=False)


@app.command("show")
def show_label(
    ctx: typer.Context, label: Annotated[int, typer.Argument(help="Number of the label.")], as_json: AsJson = False
) -> None:
    """Show all that is known of one label: who said it, when, in which object, by which rule."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        row = session.get(LabelRow, label)
    if row is None:
        raise ConfigFault(f"there is no label {label}: `dicomnode labels list`")
    if as_json:
        typer.echo(json.dumps(plain(row), indent=2))
        return
    table = Table(box=None, show_header=False)
    for name, value in plain(row).items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/]", "" if value is None else escape(str(value)))
    console.print(table)


@app.command("conflicts")
def list_conflicts(
    ctx: typer.Context, model: Annotated[str, typer.Option(help="Of this model only.")] = "", as_json: AsJson = False
) -> None:
    """List labels that contradict one another, and which of them counts."""
    opened: Opened = ctx.obj
    with opened.index.snapshot() as session:
        found, doubts = conflicts(session, model), in_doubt(session)
    if as_json:
        typer.echo(json.dumps([_plain_conflict(one) for one in found], indent=2))
        return
    for line in _doubts(doubts):
        console.print(line, highlight=False)
    if not found:
        console.print("no labels contradict one another")
        return
    meanings = meanings_of(opened.config)
    table = Table(STUDY, "model", "output", "counts", "overruled", box=None)
    for one in found:
        overruled = "\n".join(_in_short(row) for row in one.overruled)
        table.add_row(one.study_uid, one.model, output_in_words(meanings, one.used), _in_short(one.used), overruled)
    console.print(table)


@app.command("link")
def link_label(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="Of the reader's finding, from `dicomnode labels list --findings`.")],
    tracking_uid: Annotated[str, typer.Argument(help="Tracking Unique Identifier of our finding.")],
) -> None:
    """Say which finding of ours a reader's finding is about."""
    opened: Opened = ctx.obj
    with opened.index.transaction() as session:
        link(session, opened.config.node.state, number, tracking_uid, login_name())
    AuditTrail.of(opened.config).commanded(by=login_name(), command=f"labels link {number} {tracking_uid}")
    typer.echo(f"the reader's finding {number} corrects our finding {tracking_uid}")


add_to(app)
app.command("measure")(measure_labeler)


def plain(row: LabelRow) -> dict[str, Any]:
    """A label for scripts; a waiting one is known by its number alone, never by its accession number."""
    return {
        "label": row.label_key,
        "state": row.state,
        "reason": row.reason,
        "study_uid": row.study_uid,
        "series_uid": row.series_uid,
        "model": row.model,
        "output": row.output,
        "what": row.what,
        "value": row.value,
        "source": row.source,
        "who": row.who,
        "made": minute(row.made_s),
        "came_in": minute(row.at_s),
        "object": row.object_uid,
        "tracking_uid": row.tracking_uid,
        "rule": row.rule,
        "assisted": row.assisted,
        "weight": row.weight,
        "file": row.file,
    }


def output_in_words(meanings: Meanings, row: LabelRow) -> str:
    """The output that a label is about, as its bundle calls it."""
    if row.what != What.PRESENCE:
        return "every structure" if row.what == What.MASK else "every lesion"
    rules = meanings.models.get(row.model)
    return outputs_of(rules).get(row.output, str(row.output)) if rules else str(row.output)


def _print_labels(rows: Any, meanings: Meanings) -> None:  # noqa: ANN401 - a sequence of rows
    if not rows:
        console.print("no labels")
        return
    table = Table("label", "state", STUDY, "model", "output", "says", "said by", "made", box=None)
    for row in rows:
        state = f"[{STYLES.get(LabelState(row.state), 'dim')}]{row.state}[/]"
        study = row.study_uid or "[dim]by accession number[/]"
        by = escape(f"{row.who} ({row.source})") + (" [yellow]assisted[/]" if row.assisted else "")
        output = output_in_words(meanings, row)
        table.add_row(
            str(row.label_key), state, study, row.model, output, said(row), by, minute(row.made_s)[:10]
        )  # fmt: skip
    console.print(table)
    for row in rows:
        if row.reason:
            console.print(f"{row.label_key} is {row.state}: {escape(row.reason)}", highlight=False)


def _beside(shown: int, total: int, others: dict[str, int], loose: int) -> list[str]:
    """What a person should know beside the list."""
    lines = [f"{shown} of {total} labels: --limit, --model, --state, --source and --study choose"] if shown else []
    if loose:
        lines.append(f"{loose} finding(s) of readers match none of ours: `dicomnode labels list --unlinked`")
    if others:
        named = ", ".join(f"{title or 'no AE title'} ({count})" for title, count in sorted(others.items()))
        lines.append(f"reports, key objects and drawings from AE titles that learn.sources does not name: {named}")
    return lines


def _doubts(counts: dict[str, int]) -> list[str]:
    """Labels whose patient or study is in doubt, for a person."""
    return [
        f"{count} label(s) are in doubt, since {reason}: `dicomnode labels list`, then `attach` or `withdraw`"
        for reason, count in sorted(counts.items())
    ]


def said(row: LabelRow) -> str:
    """What a label says, in a word."""
    if row.what != What.PRESENCE:
        return "drawn"
    return {1.0: "present", 0.0: "absent"}.get(row.value, "uncertain") if row.value is not None else "uncertain"


def _in_short(row: LabelRow) -> str:
    return escape(f"{said(row)} ({row.label_key}: {row.source}, {row.who}, {minute(row.made_s)[:10]})")


def _plain_conflict(one: Conflict) -> dict[str, Any]:
    return {
        "study_uid": one.study_uid, "model": one.model, "output": one.output, "counts": plain(one.used),
        "overruled": [plain(row) for row in one.overruled],
    }  # fmt: skip


def _list_findings(opened: Opened, *, unlinked: bool, as_json: bool) -> None:
    with opened.index.snapshot() as session:
        found = reader_findings(session, unlinked=unlinked)
    if as_json:
        typer.echo(json.dumps([_plain_finding(one) for one in found], indent=2))
        return
    if not found:
        console.print("no findings of readers")
        return
    table = Table("number", STUDY, "finding", "linked by", "outline", "our finding, or why none", box=None)
    for one in found:
        outline = ("changed" if one.row.changed else "as ours") if one.row.our_tracking_uid else ""
        what = one.row.our_tracking_uid or one.row.reason
        table.add_row(str(one.row.finding_key), one.study_uid, one.row.code, one.row.how, outline, what)
    console.print(table)


def _plain_finding(one: Listed) -> dict[str, object]:
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
