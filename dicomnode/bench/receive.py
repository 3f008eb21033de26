"""`dicomnode bench receive`: how many instances a second we keep, beside DCMTK's storescp and Orthanc."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dicomnode.bench import receivers, sender
from dicomnode.bench.images import ct_template, write_fresh
from dicomnode.bench.receivers import Running
from dicomnode.scratch import scratch_folder

SIDES = (512, 64)
ASSOCIATIONS = (1, 4)
NAGLE: dict[str, Mapping[str, str]] = {"as installed": {}, "tuned": {"TCP_NODELAY": "1"}}
"""DCMTK and Orthanc leave Nagle's algorithm on unless TCP_NODELAY=1 is in their environment."""
SYNCS = 50


@dataclass(frozen=True)
class Cell:
    """What is held fixed while receivers are compared."""

    setting: str
    side: int
    associations: int


@dataclass
class Figures:
    """What one receiver reached in one cell."""

    cell: Cell
    receiver: str
    instance_bytes: int
    per_s: list[float] = field(default_factory=list)
    """Instances a second, one value a repeat."""

    @property
    def median_per_s(self) -> float:
        """Median over the repeats."""
        return statistics.median(self.per_s)

    @property
    def megabytes_per_s(self) -> float:
        """Median in 10⁶ bytes a second."""
        return self.median_per_s * self.instance_bytes / 1e6


@dataclass(frozen=True)
class Target:
    """A ratio of medians that is to be reached."""

    setting: str
    associations: tuple[int, ...]
    peer: str
    factor: float


TARGETS = (
    Target("as installed", (1,), "storescp", 10.0),
    Target("as installed", (1,), "Orthanc", 10.0),
    Target("tuned", (1, 4), "storescp", 0.9),
    Target("tuned", (1, 4), "Orthanc", 3.0),
)


@dataclass(frozen=True)
class Verdict:
    """One target in one cell."""

    cell: Cell
    receiver: str
    peer: str
    ratio: float
    target: float

    @property
    def reached(self) -> bool:
        """Whether the ratio is at least the target."""
        return self.ratio >= self.target


def measure(repeats: int, instances: int, told: Callable[[str], None]) -> list[Figures]:
    """Every receiver in every cell, the receivers alternating within each repeat.

    Args:
        repeats: of each cell.
        instances: sent in one measurement, over all associations.
        told: is told what is being done.
    """
    found: list[Figures] = []
    for setting, variables in NAGLE.items():
        with scratch_folder() as folder, ExitStack() as opened:
            running = [opened.enter_context(one) for one in _starting(folder, variables)]
            for cell in (Cell(setting, side, count) for side in SIDES for count in ASSOCIATIONS):
                told(f"{setting}, {cell.side}×{cell.side}, {cell.associations} association(s)")
                found += _measure_cell(cell, running, variables, _Load(folder / "images", repeats, instances))
    return found


def verdicts(found: list[Figures]) -> list[Verdict]:
    """Each target against what was measured."""
    medians = {(figures.cell, figures.receiver): figures.median_per_s for figures in found}
    ours = sorted({figures.receiver for figures in found if figures.receiver.startswith("dicomnode")})
    return [
        Verdict(cell, receiver, target.peer, medians[cell, receiver] / medians[cell, target.peer], target.factor)
        for target in TARGETS
        for cell in dict.fromkeys(figures.cell for figures in found)
        if cell.setting == target.setting and cell.associations in target.associations
        for receiver in ours
        if (cell, target.peer) in medians
    ]


def surroundings() -> dict[str, str]:
    """Machine, versions and settings that the figures depend on."""
    with scratch_folder() as folder:
        sync_ms = 1e3 * statistics.median(_sync_s(folder) for _ in range(SYNCS))
    return {
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
        "load": f"load average {os.getloadavg()[0]:.1f} before, {_priority()}",
        "disk": f"fsync of 0.5 MB {sync_ms:.2f} ms (median)",
        "sender": sender.described(),
        **receivers.described(),
    }


def as_json(found: list[Figures], around: dict[str, str]) -> dict[str, object]:
    """The whole result for a script."""
    return {
        "surroundings": around,
        "figures": [
            {**asdict(figures), "median_per_s": figures.median_per_s, "megabytes_per_s": figures.megabytes_per_s}
            for figures in found
        ],
        "verdicts": [{**asdict(verdict), "reached": verdict.reached} for verdict in verdicts(found)],
    }


@dataclass(frozen=True)
class _Load:
    """What is sent."""

    folder: Path
    repeats: int
    instances: int


def _starting(folder: Path, variables: Mapping[str, str]) -> Iterator[AbstractContextManager[Running]]:
    for number, start in enumerate(receivers.available().values()):
        place = folder / str(number)
        place.mkdir()
        yield start(place, variables)


def _measure_cell(cell: Cell, running: list[Running], variables: Mapping[str, str], load: _Load) -> list[Figures]:
    template = ct_template(cell.side)
    found = {one.name: Figures(cell, one.name, len(template)) for one in running}
    each = load.instances // cell.associations
    for repeat in range(load.repeats):
        for receiver in running[repeat % len(running) :] + running[: repeat % len(running)]:
            folders = [load.folder / str(number) for number in range(cell.associations)]
            for folder in folders:
                write_fresh(template, folder, each)
            os.sync()
            seconds = sender.send_s(receiver, folders, variables)
            found[receiver.name].per_s.append(each * cell.associations / seconds)
            _empty(folders)
    return list(found.values())


def _empty(folders: list[Path]) -> None:
    for folder in folders:
        for file in folder.iterdir():
            file.unlink()


def _priority() -> str:
    """Under which the sender and every receiver run."""
    if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        return "real-time priority over other work"
    return f"nice {os.nice(0)}"


def _sync_s(folder: Path) -> float:
    with (folder / "probe").open("wb") as file:
        file.write(bytes(1 << 19))
        file.flush()
        begun_s = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - begun_s
