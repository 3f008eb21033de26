"""The sender: DCMTK's storescu, one process an association; pynetdicom where DCMTK is missing."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dicomnode.bench import dcmtk
from dicomnode.bench.receivers import AE_TITLE, Running
from dicomnode.errors import PeerRefused
from dicomnode.peers.caller import Caller

TIMEOUT_S = 300.0


def described() -> str:
    """Which sender is used."""
    found = dcmtk.version()
    return (
        f"DCMTK storescu {found} --required" if found else "pynetdicom, since DCMTK is not installed: figures are lower"
    )


def send_s(to: Running, folders: Sequence[Path], variables: Mapping[str, str]) -> float:
    """Seconds from the start of the senders to the end of the last: one association a folder, all at once.

    Raises:
        PeerRefused: the receiver did not take every instance.
    """
    begun_s = time.perf_counter()
    with ThreadPoolExecutor(len(folders)) as senders:
        one = _with_dcmtk if dcmtk.program("storescu") else _with_pynetdicom
        for fault in senders.map(lambda folder: one(to, folder, variables), folders):
            if fault:
                raise PeerRefused(f"{to.name} did not take everything: {fault}")
    return time.perf_counter() - begun_s


def _with_dcmtk(to: Running, folder: Path, variables: Mapping[str, str]) -> str:
    command = [dcmtk.program("storescu"), "--required", "-aec", AE_TITLE, "+sd", "127.0.0.1", str(to.port), str(folder)]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return "" if done.returncode == 0 else done.stderr[-500:] or f"exit code {done.returncode}"


def _with_pynetdicom(to: Running, folder: Path, _: Mapping[str, str]) -> str:
    ae = Caller("SENDER")
    for uid in ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7.3"):
        ae.add_requested_context(uid, "1.2.840.10008.1.2.1")
    association = ae.associate("127.0.0.1", to.port, ae_title=AE_TITLE)
    if not association.is_established:
        return "no association"
    try:
        statuses = [association.send_c_store(path).get("Status") for path in sorted(folder.iterdir())]
    finally:
        association.release()
    return "" if all(status == 0 for status in statuses) else f"statuses {sorted(set(map(str, statuses)))}"
