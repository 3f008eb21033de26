"""`dicomnode bench loop | corrected`: what a site would do in months, in one run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dicomnode.bench.tables import say

Out = Annotated[Path, typer.Option(help="New folder for everything that is made; a base that is there is used.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads of a training; 0: all cores.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (loop, corrected):
        app.command()(command)


def loop(
    data: Annotated[tuple[Path, Path], typer.Option(help="Two hospitals: each has index.csv (path, label, group).")],
    out: Out,
    threads: Threads = 0,
) -> None:
    """The loop through the node: images and readers' SRs in, learn, promote, AUC from the SRs that come back."""
    from dicomnode.bench.loop.between_hospitals import hospital_loop

    found = hospital_loop(*data, _made(out), say, threads=threads)
    Console().print_json(data=found, default=str)


def corrected(
    data: Annotated[Path, typer.Option(help="Hippocampus crops: index.csv (path, mask, group), images and masks.")],
    out: Out,
    threads: Threads = 0,
) -> None:
    """Forty corrected segmentations through the PACS, for a base trained on twenty patients."""
    from dicomnode.bench.loop.corrected import corrected_loop

    found = corrected_loop(data, _made(out), say, threads=threads)
    Console().print_json(data=found, default=str)


def _made(out: Path) -> Path:
    folder = out.resolve()
    (folder / "site").mkdir(parents=True)
    (folder / "models").mkdir(exist_ok=True)
    return folder
