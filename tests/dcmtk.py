"""DCMTK's archive on loopback, for tests against a second, independent PACS: it gives no counts and no commitment."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.orthanc import free_port, loopback_only, require_program, stop

CONFIG = """\
NetworkType = "tcp"
NetworkTCPPort = {port}
MaxPDUSize = 65536
MaxAssociations = 8
HostTable BEGIN
node = ({node_ae}, 127.0.0.1, {node_port})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{ae_title} {folder} RW (100, 1024mb) ANY
AETable END
"""


@contextmanager
def dcmqrscp(
    folder: Path, *, node_ae: str = "DICOMNODE", node_port: int = 11112, ae_title: str = "DCMQRSCP"
) -> Iterator[int]:
    """An empty archive that knows our node as a move destination; gives its port. Skips by name where missing."""
    program = require_program("dcmqrscp")
    port, database = free_port(), folder / "archive"
    database.mkdir()
    config = folder / "dcmqrscp.cfg"
    config.write_text(
        CONFIG.format(port=port, node_ae=node_ae, node_port=node_port, ae_title=ae_title, folder=database)
    )
    with served([program, "-c", str(config)], folder, port):
        yield port


@contextmanager
def served(command: list[str], folder: Path, port: int) -> Iterator[int]:
    """A server program that listens on a port of loopback alone until the block ends; gives its process id."""
    preload = loopback_only(folder)
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "LD_PRELOAD": str(preload), "TCP_NODELAY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_open(port, process, log)
        yield process.pid
    finally:
        stop(process)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing listens on {port}: {log.read_text()[-2000:]}")
