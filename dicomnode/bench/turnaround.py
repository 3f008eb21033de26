"""`dicomnode bench turnaround`: from the last image the PACS releases to the results stored in it.

Orthanc holds the study and routes it to the node; the node runs as `dicomnode serve` starts it. Both ends are
times in the index: the last instance's arrival, and the answer to the last result's C-STORE.
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from pydicom import Dataset, dcmwrite
from sqlalchemy import func, select

from dicomnode.bench.receivers import DICOMNODE, orthanc_program
from dicomnode.bundles.approval import approve
from dicomnode.demo.msd import msd_series
from dicomnode.demo.pacs import AE_TITLE, free_port, pacs, store
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow, StudyRow
from dicomnode.scratch import scratch_folder

REPO = Path(__file__).parents[2]
MODEL = "hippocampus_mr"
CASE = REPO / "tests" / "data" / "hippocampus" / "images" / "hippocampus_001.nii.gz"
SETTLE_S = 5.0
TARGET_S = 2.0
START_S, STUDY_S, LOOK_S = 120.0, 180.0, 0.1


@dataclass(frozen=True)
class Turnaround:
    """One study's way through the node."""

    total_s: float
    """From the last image received to the last result stored."""
    forward_s: float
    """The bare model."""
    settle_s: float
    """The wait between two equal counts, as configured."""
    seconds: dict[str, float]
    """Wall time of each stage, as the run keeps it."""

    @property
    def net_s(self) -> float:
        """What the node adds to the model and to the wait that is configured."""
        return self.total_s - self.forward_s - self.settle_s


def measure(repeats: int, told: Callable[[str], None]) -> list[Turnaround]:
    """So many studies, one after the other, after one that warms the model.

    Raises:
        ConfigFault: Orthanc or the repository's data are not here, or a study does not come through.
    """
    if not orthanc_program() or not CASE.is_file():
        raise ConfigFault("this needs Orthanc (`make peers`) and a clone of the repository")
    with scratch_folder() as folder, _node(folder) as (index, port):
        found = []
        for number in range(repeats + 1):
            told("a first study, to warm the model" if number == 0 else f"study {number} of {repeats}")
            study_uid = _send(folder / "images" / str(number), f"hippocampus_bench_{number}", port)
            found.append(_measured(index, study_uid))
        return found[1:]


@contextmanager
def _node(folder: Path) -> Iterator[tuple[Index, int]]:
    """A running node and its PACS: the node's index, and the PACS's port."""
    node_port = free_port()
    with pacs(folder / "pacs", "DICOMNODE", node_port, REPO / "tests") as peer:
        config = folder / "config.toml"
        config.write_text(_config_text(node_port, peer.port))
        index = Index(f"sqlite:///{folder / 'state' / 'index.sqlite'}")
        index.migrate()
        approve(index, REPO / "models" / MODEL, "bench")
        with (folder / "node.log").open("wb") as log:
            node = subprocess.Popen([*DICOMNODE, "--config", str(config), "serve"], stdout=log, stderr=log)
        try:
            _wait_until_up(node_port)
            yield index, peer.port
        finally:
            node.terminate()
            node.wait(60)
            index.close()


def _config_text(node_port: int, pacs_port: int) -> str:
    return f"""[node]
state = "state"
[receive]
port = {node_port}
reserve_bytes = 0
[complete]
settle_s = {SETTLE_S}
[web]
port = {free_port()}
[infer]
folder = "{REPO / "models"}"
[peers.pacs]
ae_title = "{AE_TITLE}"
host = "127.0.0.1"
port = {pacs_port}
query = true
[[routes]]
name = "bench"
models = ["{MODEL}"]
destinations = ["pacs"]
source = "pacs"
"""


def _wait_until_up(port: int) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(LOOK_S)
    raise ConfigFault("the node did not start")


def _send(folder: Path, case: str, port: int) -> str:
    """Put one study into the PACS, which routes it; its Study Instance UID."""
    folder.mkdir(parents=True)
    image = nibabel.load(CASE)
    images: list[Dataset] = msd_series(np.asarray(image.dataobj), image.affine, case)
    for number, one in enumerate(images):
        dcmwrite(folder / f"{number:04d}.dcm", one, enforce_file_format=True)
    store(sorted(folder.iterdir()), AE_TITLE, port, "MODALITY")
    return str(images[0].StudyInstanceUID)


def _measured(index: Index, study_uid: str) -> Turnaround:
    end_s = time.monotonic() + STUDY_S
    while time.monotonic() < end_s:
        if found := _found(index, study_uid):
            return found
        time.sleep(LOOK_S)
    raise ConfigFault(f"study {study_uid} did not come through within {STUDY_S:.0f} s")


def _found(index: Index, study_uid: str) -> Turnaround | None:
    with index.snapshot() as session:
        study = session.scalar(select(StudyRow).where(StudyRow.study_uid == study_uid))
        run = session.scalar(select(RunRow).where(RunRow.study_key == study.study_key)) if study else None
        if study is None or run is None:
            return None
        if run.status == "parked":
            raise ConfigFault(f"the run was parked: {run.reason}")
        results = select(func.count(), func.count(DeliveryRow.sent_s), func.max(DeliveryRow.sent_s)).join(
            ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid
        )
        count, stored, last_s = session.execute(results.where(ResultRow.run_key == run.run_key)).one()
        if count == 0 or stored < count:
            return None
        return Turnaround(
            float(last_s or 0) - study.last_received_s, run.seconds["forward"], SETTLE_S, dict(run.seconds)
        )
