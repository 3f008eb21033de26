"""The receivers that are compared, each started as its own process on loopback with an empty store."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicomnode import __version__
from dicomnode.bench import dcmtk
from dicomnode.errors import ConfigFault

LOOPBACK_ONLY = Path(__file__).parents[2] / "tests" / "loopback_only.c"
"""Of a clone of the repository; without it, and a compiler, the peers are left out."""
START_S, STOP_S = 60.0, 15.0
AE_TITLE = "BENCH"
DICOMNODE = [sys.executable, "-m", "dicomnode"]
PROCESSES = 2
"""Receiver processes of ours ([receive] processes); DCMTK forks one an association, Orthanc starts threads."""


@dataclass(frozen=True)
class Running:
    """A receiver that listens."""

    name: str
    port: int
    pids: tuple[int, ...]


Start = Callable[[Path, Mapping[str, str]], AbstractContextManager[Running]]
"""Starts a receiver in an empty folder, with these variables besides the environment."""


@contextmanager
def node(folder: Path, variables: Mapping[str, str], *, fast: bool, processes: int = PROCESSES) -> Iterator[Running]:
    """Ours."""
    port = _free_port()
    config = folder / "config.toml"
    receive = f'ae_title = "{AE_TITLE}"\nport = {port}\nprocesses = {processes}\nfast = {str(fast).lower()}'
    config.write_text(
        f'[node]\nstate = "state"\n[receive]\n{receive}\nreserve_bytes = 0\n[log]\nlevel = "INFO"\nformat = "json"\n'
    )
    with ExitStack() as running:
        pids = []
        for number in range(processes):
            command = [*DICOMNODE, "--config", str(config), "receive", "--number", str(number)]
            log = folder / f"receive-{number}.log"
            process = running.enter_context(_process(command, variables, log))
            _wait(process, log, lambda log=log: "receive.listening" in log.read_text())  # type: ignore[misc]
            pids.append(process.pid)
        yield Running("dicomnode, fast" if fast else "dicomnode", port, tuple(pids))


@contextmanager
def storescp(folder: Path, variables: Mapping[str, str]) -> Iterator[Running]:
    """DCMTK's storescp, one child an association."""
    port, store, log = _free_port(), folder / "store", folder / "storescp.log"
    store.mkdir()
    command = [dcmtk.program("storescp"), "--fork", "--aetitle", AE_TITLE, "--output-directory", str(store), str(port)]
    with _process(command, {**variables, "LD_PRELOAD": str(_loopback_only(folder))}, log) as process:
        _wait(process, log, lambda: _listens(port))
        yield Running("storescp", port, (process.pid,))


@contextmanager
def orthanc(folder: Path, variables: Mapping[str, str]) -> Iterator[Running]:
    """Orthanc without plugins, its SQLite index in the same folder."""
    port, log, settings = _free_port(), folder / "orthanc.log", folder / "orthanc.json"
    store = str(folder / "store")
    written = {"DicomAet": AE_TITLE, "DicomPort": port, "HttpPort": _free_port(), "DicomAlwaysAllowStore": True}
    written |= {"StorageDirectory": store, "IndexDirectory": store, "RemoteAccessAllowed": False, "Plugins": []}
    settings.write_text(json.dumps(written))
    command = [orthanc_program(), str(settings)]
    with _process(command, {**variables, "LD_PRELOAD": str(_loopback_only(folder))}, log) as process:
        _wait(process, log, lambda: _listens(port))
        yield Running("Orthanc", port, (process.pid,))


def orthanc_program() -> str:
    """Path of Orthanc; empty where it is not installed."""
    return shutil.which("Orthanc", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])) or ""


def available() -> dict[str, Start]:
    """Every receiver that can be compared on this machine, by name."""
    found: dict[str, Start] = {
        "dicomnode": lambda folder, variables: node(folder, variables, fast=False),
        "dicomnode, fast": lambda folder, variables: node(folder, variables, fast=True),
    }
    contained = shutil.which("cc") and LOOPBACK_ONLY.is_file()
    if dcmtk.program("storescp") and contained:
        found["storescp"] = storescp
    if orthanc_program() and contained:
        found["Orthanc"] = orthanc
    return found


def described() -> dict[str, str]:
    """Version and settings of each receiver that is available."""
    ours = f"{__version__}, {PROCESSES} processes, file, folder and index row synced before Success"
    texts = {
        "dicomnode": f"{ours}; pynetdicom's reactor",
        "dicomnode, fast": f"{ours}; receive.fast = true",
        "storescp": f"DCMTK {dcmtk.version()}, --fork, nothing synced, defaults else",
        "Orthanc": f"{_orthanc_version()}, no plugins, SQLite, defaults else (SyncStorageArea = true)",
    }
    return {name: texts[name] for name in available()}


def _orthanc_version() -> str:
    if not orthanc_program():
        return ""
    said = subprocess.run([orthanc_program(), "--version"], capture_output=True, text=True, timeout=30, check=False)
    return said.stdout.split("\n", 1)[0].split()[-1]


@contextmanager
def _process(command: list[str], variables: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)


def _wait(process: subprocess.Popen[bytes], log: Path, is_up: Callable[[], bool]) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and process.poll() is None:
        if is_up():
            return
        time.sleep(0.05)
    raise ConfigFault(f"a receiver did not start: {log.read_text(errors='replace')[-2000:]}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _loopback_only(folder: Path) -> Path:
    """A library to preload: Orthanc and storescp know no bind address, and a bench opens no port to the network."""
    built = folder / "loopback_only.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", built, LOOPBACK_ONLY, "-ldl"], check=True, timeout=60)
    return built
