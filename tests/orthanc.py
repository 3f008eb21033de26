"""A private Orthanc on loopback, for tests against a real PACS.

`orthanc(folder, node_ae="DICOMNODE", node_port=11112)` starts one with an empty database on free ports, with an
auto-route to the node (tests/orthanc_autoroute.lua), and stops it when the block ends.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
START_S = 20.0
STOP_S = 10.0


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    ae_title: str
    dicom_port: int
    http_port: int
    pid: int
    log: Path

    def get(self, path: str) -> Any:
        """The JSON answer to a GET."""
        return json.loads(self._ask("GET", path))

    def post(self, path: str, body: object) -> Any:
        """The JSON answer to a POST; bytes are sent as they are, anything else as JSON."""
        return json.loads(self._ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode()))

    def delete(self, instance_id: str) -> None:
        """Remove one instance, by Orthanc's id."""
        self._ask("DELETE", f"/instances/{instance_id}")

    def file(self, instance_id: str) -> bytes:
        """The DICOM file of one instance, by Orthanc's id."""
        return self._ask("GET", f"/instances/{instance_id}/file")

    def upload(self, path: Path) -> None:
        """Put one DICOM file in over HTTP, as a modality would over DICOM."""
        self.post("/instances", path.read_bytes())

    def instances(self) -> dict[str, dict[str, str]]:
        """Every instance: SOP Instance UID to its main attributes, with the id as "id"."""
        found = self.get("/instances?expand")
        wanted = ("SOPClassUID", "Modality", "SeriesInstanceUID", "StudyInstanceUID")
        return {
            str(one["MainDicomTags"]["SOPInstanceUID"]): {"id": str(one["ID"]), **self._tags(str(one["ID"]), wanted)}
            for one in found
        }

    def series(self, modality: str) -> list[str]:
        """Series Instance UIDs of one modality."""
        found = self.get("/series?expand")
        return [
            str(one["MainDicomTags"]["SeriesInstanceUID"])
            for one in found
            if one["MainDicomTags"].get("Modality") == modality
        ]

    def wait_for(self, instances: int, timeout_s: float = 30.0) -> dict[str, dict[str, str]]:
        """The instances, once there are so many; fails with what is there when the time is over."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if int(self.get("/statistics")["CountInstances"]) >= instances:
                return self.instances()
            time.sleep(0.1)
        pytest.fail(f"Orthanc has {self.instances()} after {timeout_s:g} s, expected {instances} instances")

    def _tags(self, instance_id: str, wanted: tuple[str, ...]) -> dict[str, str]:
        tags = self.get(f"/instances/{instance_id}/simplified-tags")
        return {keyword: str(tags.get(keyword, "")) for keyword in wanted}

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise AssertionError(f"Orthanc answered {answer.status} to {method} {path}: {content[:300]!r}")
        return content


@contextmanager
def orthanc(
    folder: Path,
    *,
    node_ae: str = "DICOMNODE",
    node_port: int = 11112,
    ae_title: str = "ORTHANC",
    stable_age_s: int = 1,
    settings: dict[str, object] | None = None,
) -> Iterator[Orthanc]:
    """A fresh Orthanc that knows our node as the modality "node"; skips by name where it is not installed.

    Args:
        folder: an empty folder for its database and log.
        node_ae: AE title of the node it talks to.
        node_port: the node's port on 127.0.0.1.
        ae_title: Orthanc's own AE title.
        stable_age_s: seconds without a new instance after which it routes a study.
        settings: further keys of orthanc.json, which win ("LuaScripts": [] switches the auto-route off).
    """
    program = require_program("Orthanc")
    preload = loopback_only(folder)
    dicom_port, http_port = free_port(), free_port()
    written = _settings(folder, node_ae, node_port, stable_age_s)
    written |= {"DicomAet": ae_title, "DicomPort": dicom_port, "HttpPort": http_port, **(settings or {})}
    dicom_port = int(str(written["DicomPort"]))
    (folder / "orthanc.json").write_text(json.dumps(written, indent=1))
    log = folder / "orthanc.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, str(folder / "orthanc.json")],
            env={**os.environ, "LD_PRELOAD": str(preload), "TCP_NODELAY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    pacs = Orthanc(ae_title, dicom_port, http_port, process.pid, log)
    try:
        _wait_until_up(pacs, process)
        yield pacs
    finally:
        stop(process)


def require_program(name: str) -> str:
    """Path of a program; skips the test by name where it is missing."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed (make peers)")
    return found


def loopback_only(folder: Path) -> Path:
    """A library to preload that keeps a server's ports on loopback."""
    built = folder / "loopback_only.so"
    compiler = require_program("cc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", str(built), str(HERE / "loopback_only.c"), "-ldl"], check=True
    )
    return built


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started, gently, then not."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)


def _settings(folder: Path, node_ae: str, node_port: int, stable_age_s: int) -> dict[str, object]:
    database = folder / "orthanc-db"
    database.mkdir(parents=True, exist_ok=True)
    node = {"AET": node_ae, "Host": "127.0.0.1", "Port": node_port, "AllowStorageCommitment": True}
    node |= {f"Allow{what}": True for what in ("Echo", "Store", "Find", "Get", "Move")}
    return {
        "Name": "PACS of a test",
        "StorageDirectory": str(database),
        "IndexDirectory": str(database),
        "Plugins": [],
        "LuaScripts": [str(HERE / "orthanc_autoroute.lua")],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"node": node},
        "UnknownSopClassAccepted": False,
        "DefaultEncoding": "Utf8",
        "StableAge": stable_age_s,
        "OverwriteInstances": False,
        "ConcurrentJobs": 2,
        "UserMetadata": {"SentToNode": 1024},
    }


def _wait_until_up(pacs: Orthanc, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            pacs.get("/system")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Orthanc did not start: {pacs.log.read_text()[-2000:]}")
