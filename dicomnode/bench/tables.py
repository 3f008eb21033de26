"""What a bench prints."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from dicomnode.bench.drift import Rate
    from dicomnode.bench.encoding import Compared
    from dicomnode.bench.receive import Figures, Verdict
    from dicomnode.bench.turnaround import Turnaround
    from dicomnode.learn.values import Estimate


def say(what: str) -> None:
    """What is being measured, to a person who waits."""
    Console(stderr=True).print(f"[dim]{what}[/dim]")


def print_surroundings(console: Console, around: dict[str, str]) -> None:
    """What the figures depend on, one line each."""
    for name, text in around.items():
        console.print(f"[bold]{name}[/bold]: {text}", highlight=False, soft_wrap=True)


def figures_table(found: list[Figures], title: str) -> Table:
    """One row a cell, one column a receiver."""
    names = list(dict.fromkeys(figures.receiver for figures in found))
    table = Table(title=title)
    for heading in ("setting", "image", "associations", *names):
        table.add_column(heading)
    for cell in dict.fromkeys(figures.cell for figures in found):
        row = [_text(figures) for figures in found if figures.cell == cell]
        table.add_row(cell.setting, f"{cell.side}×{cell.side}", str(cell.associations), *row)
    return table


def verdicts_table(judged: list[Verdict]) -> Table:
    """One row a target and cell."""
    table = Table(title="targets")
    for heading in ("setting", "image", "associations", "receiver", "against", "ratio", "target", ""):
        table.add_column(heading)
    for verdict in judged:
        cell, answer = verdict.cell, "reached" if verdict.reached else "MISSED"
        where = (cell.setting, f"{cell.side}×{cell.side}", str(cell.associations))
        ratios = (f"{verdict.ratio:.2f}", f"≥ {verdict.target:g}")
        table.add_row(*where, verdict.receiver, verdict.peer, *ratios, answer)
    return table


def drift_table(found: tuple[Rate, ...]) -> Table:
    """One row a change and number of studies."""
    table = Table(title="how often a look alarms, p < 0.05 after correction")
    for heading in ("change", "studies", "alarms", "target"):
        table.add_column(heading)
    for one in found:
        target = {None: "", True: "reached", False: "MISSED"}[one.is_target]
        table.add_row(one.change, str(one.studies), f"{one.seen:.1%}", target)
    return table


def turnaround_table(found: list[Turnaround]) -> Table:
    """One row a study, and the median."""
    table = Table(title="seconds from the last image received to the last result stored in the PACS")
    for heading in ("study", "in all", "model alone", "settle_s", "the node's part", "stages"):
        table.add_column(heading)
    for number, one in enumerate(found, 1):
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in one.seconds.items())
        table.add_row(
            str(number), f"{one.total_s:.2f}", f"{one.forward_s:.2f}", f"{one.settle_s:g}", f"{one.net_s:.2f}", stages
        )
    nets = [one.net_s for one in found]
    table.add_row("median", "", "", "", f"{statistics.median(nets):.2f} ({min(nets):.2f}-{max(nets):.2f})", "")
    return table


def encoding_table(found: list[Compared]) -> Table:
    """One row a label map."""
    table = Table(title="a SEG of 512×512×300, 10 segments: median seconds, peak memory in label maps above idle")
    for heading in ("label map", "dicomnode", "dcmqi", "memory", "dcmqi's", "file, MB", ""):
        table.add_column(heading)
    for one in found:
        ours, theirs = one.seconds
        memory = max(made.times_the_mask for made in one.theirs)
        row = (one.mask, f"{ours:.2f} s", f"{theirs:.2f} s", f"{one.times_the_mask:.2f}", f"{memory:.2f}")
        table.add_row(*row, f"{one.ours[0].file_bytes / 1e6:.0f}", "reached" if one.reached else "MISSED")
    return table


def _text(figures: Figures) -> str:
    slowest, fastest = min(figures.per_s), max(figures.per_s)
    return f"{figures.median_per_s:.0f}/s ({slowest:.0f}-{fastest:.0f}), {figures.megabytes_per_s:.0f} MB/s"


def interval(figure: Estimate | None) -> str | None:
    """A figure with its 95 % interval; None where there is none."""
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})" if figure else None
