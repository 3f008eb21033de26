"""The real node as processes of its own, for tests that kill them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dicomnode.bundles.approval import approve
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.index.database import Index

REPO = Path(__file__).parents[2]
MODELS = REPO / "models"
START_S = 180.0


@dataclass
class NodeUnderTest:
    """A node's folder, its configuration, and whichever of its processes run."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "dicomnode")
    """What Python runs."""
    environment: dict[str, str] = field(default_factory=dict)
    """What it is told besides."""

    @property
    def config_file(self) -> Path:
        return self.folder / "config.toml"

    @property
    def config(self) -> Config:
        return load(self.config_file)

    @property
    def index(self) -> Index:
        return Index(self.config.index_url)

    def start(self, *parts: str) -> None:
        """Start parts ("receive", "engine", "gpu", "gpu --stat"), and wait until each has said that it is ready."""
        for part in parts:
            self._spawn(part)
        for part in parts:
            wait_for(lambda part=part: self._is_ready(part), f"{part} to be ready", START_S, self)

    def crash_at(self, points: tuple[str, ...], folder: Path) -> None:
        """Have processes that start from now on kill themselves at these points, each once."""
        self.program = (str(REPO / "tests/acceptance/crashing.py"),)
        self.environment = {"CRASH_POINTS": ",".join(points), "CRASH_FOLDER": str(folder), "PYTHONPATH": str(REPO)}

    @contextmanager
    def kept_running(self, *parts: str) -> Iterator[None]:
        """Run parts, from when each has been ready once, and start each again when it dies, as systemd does."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.2):
                for part in parts:
                    if self.processes[part].poll() is not None and not over.is_set():
                        self._spawn(part)

        self.start(*parts)
        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def kill(self, part: str) -> None:
        """kill -9 of a part and of everything it started."""
        process = self.processes[part]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        """End every part."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for part, process in self.processes.items():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill(part)

    def logs(self) -> str:
        """The end of every log, for a failed test."""
        return "\n".join(f"--- {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in self.folder.glob("*.log"))

    def rows(self, kind: type[Any]) -> list[Any]:
        """Every row of one table of the index."""
        index = self.index
        try:
            with index.snapshot() as session:
                return list(session.query(kind).all())
        finally:
            index.close()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a dicomnode command as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "dicomnode", "--config", str(self.config_file), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _spawn(self, part: str) -> None:
        with (self.folder / f"{part}.log").open("ab") as log:
            self.processes[part] = subprocess.Popen(
                [sys.executable, *self.program, "--config", str(self.config_file), *part.split()],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def _is_ready(self, part: str) -> bool:
        from dicomnode.index.schema import BeatRow

        process = self.processes[part]
        assert process.poll() is None, f"{part} ended with {process.returncode}\n{self.logs()}"
        return any(
            row.process.startswith(part.replace(" --", "-")) and row.pid == process.pid and row.note != "starting"
            for row in self.rows(BeatRow)
        )


@contextmanager
def node(folder: Path, port: int, text: str, models: tuple[str, ...]) -> Iterator[NodeUnderTest]:
    """A node with this config.toml and these bundles of the repo approved; nothing runs yet."""
    made = NodeUnderTest(folder, port)
    made.config_file.write_text(text)
    index = made.index
    index.migrate()
    for name in models:
        approve(index, MODELS / name, "test")
    index.close()
    try:
        yield made
    finally:
        made.stop()


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float, under_test: NodeUnderTest) -> None:
    """Wait until a condition holds, or fail with every log."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited {timeout_s:g} s for {what}\n{under_test.logs()}")
