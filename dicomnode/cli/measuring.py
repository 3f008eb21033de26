"""`dicomnode labels measure`: what a labeler is worth on reports that readers labelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from dicomnode.audit import AuditTrail, login_name
from dicomnode.cli.context import Opened
from dicomnode.learn.reports.reference import Half
from dicomnode.learn.values import Estimate

if TYPE_CHECKING:
    from dicomnode.learn.reports.measure import Worth

COLUMNS = (
    "finding", "positive", "present: right/wrong", "absent: right/wrong", "uncertain", "not mentioned", "sensitivity",
    "specificity", "PPV", "NPV", "unreviewed",
)  # fmt: skip
KEPT = "Kept: labels that are made from now on weigh 0.7 where it says yes, and 0.3 elsewhere."


def measure_labeler(  # noqa: PLR0913 - a command's options
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or JSON: id, text, and a column (1, 0 or empty) for each finding.")],
    labeler: Annotated[str, typer.Option(help="In the box: english, japanese; a plug-in, or a lexicon file.")],
    reading: Annotated[str, typer.Option(help="Table of how to read the file: openi, or a path.")] = "",
    half: Annotated[Half, typer.Option(help="Reports to use, by the hash of their id.")] = Half.ALL,
    look: Annotated[bool, typer.Option("--look", help="Print the figures; keep nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Measure a labeler: with 200 reports, and PPV and NPV surely at least 0.95, its labels need no review."""
    from dicomnode.learn.reports.facts import name_of
    from dicomnode.learn.reports.labeler import labeler as named
    from dicomnode.learn.reports.measure import measure
    from dicomnode.learn.reports.reference import read_labelled, read_reading
    from dicomnode.learn.reports.standing import keep_worth

    opened: Opened = ctx.obj
    one, reports = named(labeler), read_labelled(file, read_reading(reading), half)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reports", total=len(reports))
        worth = measure(one, reports, lambda done: progress.update(task, completed=done))
    keep = not look and half is not Half.DEVELOPMENT
    if keep:
        with opened.index.transaction() as session:
            keep_worth(session, one, worth)
        AuditTrail.of(opened.config).commanded(by=login_name(), command=f"labels measure --labeler {labeler}")
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in worth], indent=2))
        return
    _show(f"{name_of(one)} on {len(reports)} reports ({half})", worth)
    Console().print(KEPT if keep else "These figures are not kept.")


def _show(title: str, worth: tuple[Worth, ...]) -> None:
    table = Table(*COLUMNS, title=title)
    for one in worth:
        counts = one.counts
        table.add_row(
            one.finding,
            str(counts.positives),
            f"{counts.true_present}/{counts.false_present}",
            f"{counts.true_absent}/{counts.false_absent}",
            str(counts.uncertain),
            str(counts.unmentioned),
            *(_words(share) for share in (one.sensitivity, one.specificity, one.ppv, one.npv)),
            "yes" if one.unreviewed else "no",
        )
    Console().print(table)


def _words(share: Estimate | None) -> str:
    return "none" if share is None else f"{share.value:.3f} ({share.low:.3f}-{share.high:.3f})"


def _plain(one: Worth) -> dict[str, object]:
    shares = {name: getattr(one, name) for name in ("sensitivity", "specificity", "ppv", "npv")}
    return {
        "finding": one.finding,
        **vars(one.counts),
        **{name: None if share is None else [share.value, share.low, share.high] for name, share in shares.items()},
        "unreviewed": one.unreviewed,
    }
