"""`dicomnode serve`: every process of the node as a child, started again when it ends. For a trial."""

import ctypes
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from dicomnode.config.tables import Config

log = structlog.get_logger()

LOOK_S = 0.2
AGAIN_S = 1.0
GRACE_S = 15.0
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One process of the node."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0


def children(config: Config) -> list[Child]:
    """The processes that this configuration asks for."""
    receivers = [Child(f"receive-{n}", ("receive", "--number", str(n))) for n in range(config.receive.processes)]
    gpus = [Child(f"gpu-{n}", ("gpu", "--number", str(n))) for n in range(config.infer.processes)]
    stat = [Child("gpu-stat", ("gpu", "--stat"))] if config.infer.stat_process else []
    train = [Child("train", ("train",))] if config.learn.enabled else []
    reports = [Child("hl7", ("hl7",))] if config.learn.hl7.enabled else []
    return [*receivers, Child("engine", ("engine",)), *gpus, *stat, *train, *reports, Child("web", ("web",))]


def run_all(config: Config, path: Path, stop: threading.Event) -> None:
    """Keep every process running until told to stop."""
    parts = children(config)
    try:
        while not stop.wait(LOOK_S):
            for part in parts:
                _keep_running(part, path)
    finally:
        _end(parts)


def _keep_running(child: Child, path: Path) -> None:
    if child.process is not None and child.process.poll() is None:
        return
    if time.monotonic() - child.started_s < AGAIN_S:
        return
    if child.process is not None:
        log.error("process.ended", part=child.name, code=child.process.returncode)
    command = [sys.executable, "-m", "dicomnode", "--config", str(path), *child.arguments]
    child.process = subprocess.Popen(command, preexec_fn=_die_with_parent)
    child.started_s = time.monotonic()


def _end(parts: list[Child]) -> None:
    running = [part.process for part in parts if part.process is not None]
    for process in running:
        process.terminate()
    end_s = time.monotonic() + GRACE_S
    for process in running:
        try:
            process.wait(max(0.1, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
