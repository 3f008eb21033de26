"""`dicomnode bench …`: measurements that a person can repeat."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dicomnode.bench.loop.commands import add_to as add_loops_to
from dicomnode.bench.tables import (
    encoding_table,
    figures_table,
    print_surroundings,
    say,
    turnaround_table,
    verdicts_table,
)
from dicomnode.learn.values import RecipeName

app = typer.Typer(no_args_is_help=True, help="Measure this machine: how fast studies come in, how soon results go out.")
add_loops_to(app)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command()
def receive(
    repeats: Annotated[int, typer.Option(min=1, help="Alternating repeats of each measurement.")] = 5,
    instances: Annotated[int, typer.Option(min=4, help="Instances of one measurement, over all associations.")] = 200,
    big: Annotated[bool, typer.Option("--big", help="Measure memory with a 500 MB instance instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Instances a second beside DCMTK's storescp and Orthanc; exit code 1 where a target is missed."""
    reached = _big(as_json) if big else _receive(repeats, instances, as_json)
    raise typer.Exit(0 if reached else 1)


@app.command()
def turnaround(
    repeats: Annotated[int, typer.Option(min=1, help="Studies measured, after one that warms the model.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Seconds from the last image to the results in the PACS, without model and settle_s; exit code 1 if missed."""
    import statistics

    from dicomnode.bench import turnaround as bench

    console = Console()
    found = bench.measure(repeats, say)
    reached = statistics.median(one.net_s for one in found) <= bench.TARGET_S
    if as_json:
        console.print_json(json.dumps([vars(one) | {"net_s": one.net_s} for one in found]))
    else:
        console.print(turnaround_table(found))
        console.print(f"target: median ≤ {bench.TARGET_S:g} s: {'reached' if reached else 'MISSED'}")
    raise typer.Exit(0 if reached else 1)


@app.command()
def encode(
    repeats: Annotated[int, typer.Option(min=1, help="SEGs made of each label map, in turns with dcmqi.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Seconds and memory to make a SEG of 512×512×300 with 10 segments beside dcmqi; exit code 1 if missed."""
    from dicomnode.bench import encoding as bench

    console = Console()
    found = bench.measure(repeats, say)
    if as_json:
        console.print_json(json.dumps([vars(one) for compared in found for one in (*compared.ours, *compared.theirs)]))
    else:
        console.print(encoding_table(found))
    raise typer.Exit(0 if all(compared.reached for compared in found) else 1)


@app.command()
def gate(
    trials: Annotated[int, typer.Option(min=20, help="Simulated updates, or chains of them.")] = 2000,
    whole: Annotated[int, typer.Option(min=0, help="Chains through the whole gate: half a minute each.")] = 10,
    as_json: AsJson = False,
) -> None:
    """How often the gate errs, and where 24 updates end, by simulation; exit code 1 where a target is missed."""
    from dicomnode.bench import gate_report

    console = Console()
    found = gate_report.measure(trials, whole, say)
    if as_json:
        console.print_json(json.dumps(gate_report.as_json(found)))
    else:
        gate_report.show(console, found)
    raise typer.Exit(0 if all(found.targets.values()) else 1)


@app.command()
def learn(  # noqa: PLR0913 -- options of a command
    data: Annotated[tuple[Path, Path], typer.Option(help="Two hospitals: each has index.csv (path, label, group).")],
    out: Annotated[Path, typer.Option(help="Folder of results; a bench that was stopped goes on there.")],
    sizes: Annotated[str, typer.Option(help="Labelled images at the second hospital.")] = "50,100,200,400",
    seeds: Annotated[int, typer.Option(min=1, help="Draws of labelled images.")] = 5,
    recipes: Annotated[str, typer.Option(help="Recipes, with commas; empty: all.")] = "",
    plain: Annotated[str, typer.Option(help="Sizes at which the published recipe is tried; slow.")] = "",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    table: Annotated[bool, typer.Option("--table", help="Print what is there, and run nothing.")] = False,
) -> None:
    """Each recipe at a second hospital, against the base and local data alone; exit code 1 where a target is missed."""
    from dicomnode.bench import learning as bench
    from dicomnode.bench import learning_told as told

    console = Console()
    names = [RecipeName(name) for name in recipes.split(",") if name] or bench.RECIPES
    wanted = bench.Wanted(out, *data, _numbers(sizes), seeds, names, _numbers(plain), threads)
    if not table:
        bench.measure(wanted, say)
    found = told.Told(out)
    for size in found.sizes:
        console.print(told.figures_table(found, size))
    judged = told.targets(found)
    console.print(told.targets_table(judged))
    raise typer.Exit(0 if all(one.reached for one in judged) else 1)


@app.command()
def recipes(
    out: Annotated[Path, typer.Option(help="Folder of results; a bench that was stopped goes on there.")],
    seeds: Annotated[int, typer.Option(min=1, help="Draws of labelled images.")] = 5,
    size: Annotated[int, typer.Option(min=60, help="Labelled images of a world.")] = 300,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    table: Annotated[bool, typer.Option("--table", help="Print what is there, and run nothing.")] = False,
) -> None:
    """The recipes, and the choice among them, in two drawn worlds; exit code 1 where a target is missed."""
    from dicomnode.bench import worlds as bench
    from dicomnode.bench import worlds_told as told

    console, progress = Console(), Console(stderr=True)
    if not table:
        bench.measure(bench.Wanted(out, seeds, size, threads), lambda what: progress.print(f"[dim]{what}[/dim]"))
    found = told.worlds(out)
    for world in found:
        console.print(told.figures_table(world))
    judged = [one for world in found for one in told.targets(world)]
    console.print(told.targets_table(judged))
    raise typer.Exit(0 if all(one.margin >= 0 for one in judged if one.counts) else 1)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


@app.command("hot-swap")
def hot_swap(
    repeats: Annotated[int, typer.Option(min=1, help="Rounds through two versions and the base.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Seconds until a model's process answers as another version of its base; exit code 1 if missed."""
    from dicomnode.bench import swapping as bench

    console = Console()
    found = bench.measure(repeats, say)
    if as_json:
        console.print_json(json.dumps(found.as_json()))
    else:
        console.print(found.words(), soft_wrap=True)
    raise typer.Exit(0 if found.reached else 1)


@app.command("train-throughput")
def train_throughput(
    repeats: Annotated[int, typer.Option(min=1, help="Pairs, after one that warms up.")] = 5,
    device: Annotated[str, typer.Option(help='"auto", "cpu", "cuda:0" …')] = "auto",
    as_json: AsJson = False,
) -> None:
    """Images a second in training beside a bare PyTorch loop on the same data; exit code 1 if missed."""
    from dicomnode.bench import throughput as bench

    console = Console()
    found = bench.measure(repeats, say, device)
    if as_json:
        console.print_json(json.dumps([vars(pair) | {"ratio": pair.ratio} for pair in found]))
    else:
        console.print(bench.words(found), soft_wrap=True)
    raise typer.Exit(0 if bench.ratio(found) >= bench.TARGET else 1)


@app.command("while-training")
def while_training(
    analyses: Annotated[int, typer.Option(min=4, help="Analyses with, and as many without.")] = 40,
    as_json: AsJson = False,
) -> None:
    """Seconds of an analysis with a training beside it and without, and until it makes way; exit code 1 if missed."""
    from dicomnode.bench import while_training as bench

    console = Console()
    found = bench.measure(analyses, say)
    if as_json:
        console.print_json(json.dumps(vars(found) | {"ratio": found.ratio}))
    else:
        console.print(found.words(), soft_wrap=True)
    raise typer.Exit(0 if found.reached else 1)


@app.command()
def drift(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of chest X-rays (JPEG or PNG).")],
    bundle: Annotated[Path, typer.Option(help="The chest X-ray bundle.")] = Path("models/chest_xray_pneumonia"),
    images: Annotated[int, typer.Option(min=50, help="Radiographs to look at.")] = 400,
    trials: Annotated[int, typer.Option(min=20, help="Windows drawn for each rate.")] = 200,
    as_json: AsJson = False,
) -> None:
    """How soon drift is seen, and how often without cause; exit code 1 where a target is missed."""
    from dicomnode.bench import drift as bench
    from dicomnode.bench.tables import drift_table

    console = Console()
    found = bench.measure(bundle, data, images, trials, say)
    if as_json:
        console.print_json(json.dumps([vars(one) | {"target": one.is_target} for one in found]))
    else:
        console.print(drift_table(found))
    raise typer.Exit(0 if all(one.is_target is not False for one in found) else 1)


def _receive(repeats: int, instances: int, as_json: bool) -> bool:
    from dicomnode.bench import receive as bench

    console = Console()
    around = bench.surroundings()
    found = bench.measure(repeats, instances, say)
    judged = bench.verdicts(found)
    if as_json:
        console.print_json(json.dumps(bench.as_json(found, around)))
    else:
        print_surroundings(console, around)
        console.print(figures_table(found, f"{instances} instances a measurement, median of {repeats} (range)"))
        console.print(verdicts_table(judged))
    return all(verdict.reached for verdict in judged)


def _big(as_json: bool) -> bool:
    from dicomnode.bench import big

    console, peaks = Console(), big.measure()
    if as_json:
        console.print_json(json.dumps([vars(peak) | {"reached": peak.reached} for peak in peaks]))
    for peak in peaks if not as_json else []:
        console.print(
            f"{peak.receiver}: peak {peak.peak_bytes / 1e6:.0f} MB resident for an instance of "
            f"{peak.instance_bytes / 1e6:.0f} MB in {peak.seconds:.1f} s; target < {big.TARGET_BYTES / 1e6:.0f} MB: "
            + ("reached" if peak.reached else "MISSED")
        )
    return all(peak.reached for peak in peaks)
