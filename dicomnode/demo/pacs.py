"""The PACS of the demo: Orthanc where it is installed, else a small storage and commitment SCP of our own."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_role, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance, Verification

from dicomnode.errors import ConfigFault
from dicomnode.peers.caller import Caller

AE_TITLE = "DEMOPACS"
START_S = 20.0
SUCCESS, CANNOT = 0x0000, 0xC000
COMMITTED, PARTLY = 1, 2


@dataclass(frozen=True)
class Pacs:
    """A running PACS."""

    said: str
    """What it is, for the person who watches."""
    port: int
    query: bool
    """Whether it answers C-FIND and routes what it receives by itself."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def pacs(folder: Path, node_ae: str, node_port: int, resources: Path) -> Iterator[Pacs]:
    """A PACS with an empty database on loopback, until the block ends.

    Args:
        folder: for its database.
        node_ae: our node's AE title.
        node_port: our node's port.
        resources: folder of the Orthanc preload source and the auto-route script.
    """
    orthanc = shutil.which("Orthanc", path=os.environ.get("PATH", "") + ":/usr/sbin")
    compiler = shutil.which("cc")
    folder.mkdir(parents=True, exist_ok=True)
    if orthanc and compiler:
        with _orthanc(orthanc, compiler, folder, node_ae, node_port, resources) as started:
            yield started
    else:
        with SmallPacs(folder, node_ae, node_port) as own:
            yield Pacs("a small storage SCP of the demo's own (Orthanc is not installed)", own.port, query=False)


@contextmanager
def _orthanc(
    program: str, compiler: str, folder: Path, node_ae: str, node_port: int, resources: Path
) -> Iterator[Pacs]:
    preload = folder / "loopback_only.so"
    source = resources / "loopback_only.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(preload), str(source), "-ldl"], check=True)
    port, http_port = free_port(), free_port()
    settings = _orthanc_settings(folder, node_ae, node_port, resources)
    settings |= {"DicomPort": port, "HttpPort": http_port}
    (folder / "orthanc.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    environment = {**os.environ, "LD_PRELOAD": str(preload), "TCP_NODELAY": "1"}
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [program, str(folder / "orthanc.json")], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for_port(port, process, folder / "orthanc.log")
        yield Pacs(f"Orthanc, DICOM port {port}, web view at http://127.0.0.1:{http_port}", port, query=True)
    finally:
        process.terminate()
        process.wait(10)


def _orthanc_settings(folder: Path, node_ae: str, node_port: int, resources: Path) -> dict[str, object]:
    node: dict[str, object] = {"AET": node_ae, "Host": "127.0.0.1", "Port": node_port, "AllowStorageCommitment": True}
    node |= {f"Allow{what}": True for what in ("Echo", "Store", "Find", "Get", "Move")}
    sender = {"AET": "MODALITY", "Host": "127.0.0.1", "Port": 1}
    return {
        "Name": "PACS of the dicomnode demo",
        "StorageDirectory": str(folder / "database"),
        "IndexDirectory": str(folder / "database"),
        "Plugins": [],
        "LuaScripts": [str(resources / "orthanc_autoroute.lua")],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": AE_TITLE,
        "DicomCheckCalledAet": True,
        "DicomModalities": {"node": node, "modality": sender},
        "DefaultEncoding": "Utf8",
        "StableAge": 1,
        "UserMetadata": {"SentToNode": 1024},
    }


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise ConfigFault(f"Orthanc did not start; its log is {log}")


@dataclass
class SmallPacs:
    """Stores, forwards images to the node, and commits what it has. Only for the demo."""

    folder: Path
    node_ae: str
    node_port: int
    port: int = field(default_factory=free_port)
    _held: dict[str, Path] = field(default_factory=dict)

    def __enter__(self) -> "SmallPacs":
        ae = AE(AE_TITLE)
        ae.require_called_aet = True
        ae.add_supported_context(Verification)
        ae.add_supported_context(StorageCommitmentPushModel)
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax, ALL_TRANSFER_SYNTAXES)
        handlers = [
            (evt.EVT_C_ECHO, lambda _: SUCCESS),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_N_ACTION, self._on_action),
        ]
        self._server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def _on_store(self, event: Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        path = self.folder / f"{len(self._held):04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        self._held[str(dataset.SOPInstanceUID)] = path
        if str(event.assoc.requestor.ae_title) != self.node_ae:
            threading.Thread(target=self._forward, args=(path,), daemon=True).start()
        return SUCCESS

    def _forward(self, path: Path) -> None:
        store([path], self.node_ae, self.node_port, AE_TITLE)

    def _on_action(self, event: Event) -> tuple[int, None]:
        asked = event.action_information
        threading.Thread(target=self._report, args=(asked,), daemon=True).start()
        return SUCCESS, None

    def _report(self, asked: Dataset) -> None:
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        wanted = list(asked.ReferencedSOPSequence)
        report.ReferencedSOPSequence = [item for item in wanted if item.ReferencedSOPInstanceUID in self._held]
        lost = [item for item in wanted if item.ReferencedSOPInstanceUID not in self._held]
        for item in lost:
            item.FailureReason = 0x0112
        if lost:
            report.FailedSOPSequence = lost
        ae = Caller(AE_TITLE)
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = ae.associate("127.0.0.1", self.node_port, ae_title=self.node_ae, ext_neg=[role])
        if association.is_established:
            kind = PARTLY if lost else COMMITTED
            association.send_n_event_report(
                report, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            association.release()


def store(paths: list[Path], called_ae: str, port: int, calling_ae: str) -> None:
    """Send files by C-STORE, as a modality would.

    Raises:
        ConfigFault: the peer does not take them.
    """
    datasets = [dcmread(path) for path in paths]
    ae = Caller(calling_ae)
    for sop_class, syntax in {(str(d.SOPClassUID), str(d.file_meta.TransferSyntaxUID)) for d in datasets}:
        ae.add_requested_context(sop_class, syntax)
    handlers = [(evt.EVT_CONN_OPEN, send_at_once)]
    association = ae.associate("127.0.0.1", port, ae_title=called_ae, evt_handlers=handlers)
    if not association.is_established:
        raise ConfigFault(f"{called_ae} on port {port} does not accept an association")
    try:
        for dataset in datasets:
            answer = association.send_c_store(dataset)
            if "Status" not in answer or answer.Status != SUCCESS:
                raise ConfigFault(
                    f"{called_ae} does not store {dataset.SOPClassUID}: {answer.get('Status', 'no answer')}"
                )
    finally:
        association.release()


def send_at_once(event: Event) -> None:
    """Send each part at once, without waiting for the peer to acknowledge the last (Nagle's algorithm)."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
