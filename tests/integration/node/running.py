"""A whole node as real processes, without torch: one CT model that is a threshold, and PACS made for the test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from dicomnode.index.schema import DeliveryRow, RunRow
from tests.acceptance.node import REPO, NodeUnderTest, wait_for
from tests.orthanc import free_port
from tests.phantom import Subject, ct_series
from tests.site_made import Site, site_made

PROGRAM = REPO / "tests/integration/node/process.py"
SOON_S = 60.0
PEERS = """
[peers.{name}]
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
timeout_s = 10.0
commitment = {commitment}
"""


@dataclass
class RunningNode:
    """One node: driven from here as a `Site`, and by its own processes."""

    site: Site
    processes: NodeUnderTest
    folder: Path
    """What the test tells the processes, and what they tell."""

    def move_clock(self, seconds: float) -> None:
        """Set the node's clock ahead of the real one."""
        (self.folder / "clock.new").write_text(str(seconds))
        (self.folder / "clock.new").replace(self.folder / "clock")

    def let_go(self) -> None:
        """Let analyses end from now on."""
        (self.folder / "go").touch()

    @property
    def analysed(self) -> list[str]:
        """Process and Study Description of each analysis that began, in order."""
        file = self.folder / "analysed"
        return file.read_text().splitlines() if file.exists() else []

    def receive(self, name: str, *, stat: bool = False) -> None:
        """Have a study of that description arrive."""
        self.site.receive(study(name, stat=stat))

    def deliveries(self, destination: str) -> list[DeliveryRow]:
        """Every delivery to a destination."""
        return [row for row in self.site.rows(DeliveryRow) if row.destination == destination]

    def runs(self) -> dict[str, int]:
        """Number of runs by status."""
        found = [row.status for row in self.site.rows(RunRow)]
        return {status: found.count(status) for status in found}

    def wait(self, condition: object, what: str, timeout_s: float = SOON_S) -> None:
        """Wait until a condition holds, or fail with every log."""
        wait_for(condition, what, timeout_s, self.processes)  # type: ignore[arg-type]

    def command(self, *arguments: str) -> str:
        """What a dicomnode command prints, by the node's clock."""
        done = subprocess.run(
            [sys.executable, str(PROGRAM), "--config", str(self.processes.config_file), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **self.processes.environment},
        )
        return " ".join((done.stdout + done.stderr).split())


def study(name: str, *, stat: bool) -> list[Dataset]:
    """A small CT study."""
    images = ct_series(subject=Subject(study=name))
    for image in images:
        image.StudyDescription = name
        image.RequestedProcedurePriority = "STAT" if stat else "ROUTINE"
    return images


def config_text(peers: dict[str, tuple[int, bool]], more: str = "", state: str = "state") -> str:
    """A node that sends to peers, name to (port, whether they commit)."""
    tables = [
        PEERS.format(name=name, port=port, commitment=str(commits).lower()) for name, (port, commits) in peers.items()
    ]
    return f"""
[node]
state = "{state}"
[receive]
port = {free_port()}
reserve_bytes = 0
[infer]
folder = "models"
{more}
[complete]
quiet_s = 3.0
{"".join(tables)}
[[routes]]
name = "ct"
when = {{ all = [{{ tag = "Modality", equals = "CT" }}] }}
models = ["bright"]
destinations = {list(peers)}
"""


@contextmanager
def running_node(folder: Path, text: str) -> Iterator[RunningNode]:
    """A node with this config.toml; nothing runs yet."""
    site = site_made(folder, text)
    told = folder / "told"
    told.mkdir()
    processes = NodeUnderTest(folder, site.config.receive.port, program=(str(PROGRAM),))
    processes.environment = {"NODE_FOLDER": str(told), "PYTHONPATH": str(REPO)}
    try:
        yield RunningNode(site, processes, told)
    finally:
        (told / "go").touch()
        processes.stop()
        site.index.close()
