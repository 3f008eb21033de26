"""A hospital of one node and one PACS, in a folder, on loopback."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset
from pynetdicom import evt
from sqlalchemy import func, select

from dicomnode.audit import login_name
from dicomnode.bundles.approval import approve
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.demo.pacs import AE_TITLE, Pacs, free_port, pacs, send_at_once
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import InstanceRow, RunRow
from dicomnode.peers.caller import Caller
from dicomnode.serve.beats import STALE_S
from dicomnode.web.snapshot import snapshot

log = structlog.get_logger()

REPO = Path(__file__).parents[3]
NODE, READER_AE = "DICOMNODE", "READER"
ANALYSE = "FOR ANALYSIS"
"""Study Description of what the node is to analyse; labelled studies are only kept."""
START_S, LOOK_S = 180.0, 0.5
PATIENCE_S = 300.0
"""For an answer of the node: a bench shares its machine with a training."""


@dataclass(frozen=True)
class Site:
    """The running pieces."""

    folder: Path
    config: Config
    index: Index
    pacs: Pacs

    def send(self, datasets: Sequence[Dataset], calling_ae: str = "MODALITY") -> None:
        """C-STORE to the node, over one association.

        Raises:
            ConfigFault: the node does not take one.
        """
        ae = Caller(calling_ae)
        for sop_class, syntax in {(str(d.SOPClassUID), str(d.file_meta.TransferSyntaxUID)) for d in datasets}:
            ae.add_requested_context(sop_class, syntax)
        ae.dimse_timeout = ae.network_timeout = PATIENCE_S
        handlers = [(evt.EVT_CONN_OPEN, send_at_once)]
        port = self.config.receive.port
        association = ae.associate("127.0.0.1", port, ae_title=NODE, evt_handlers=handlers)
        if not association.is_established:
            raise ConfigFault("the node accepts no association")
        try:
            for one in datasets:
                answer = association.send_c_store(one)
                if answer.get("Status") != 0:
                    raise ConfigFault(f"the node does not store {one.SOPClassUID}: {answer}")
        finally:
            association.release()

    def command(self, *arguments: str) -> str:
        """What a person would type; its output.

        Raises:
            ConfigFault: it failed; with what it said.
        """
        command = [sys.executable, "-m", "dicomnode", "--config", str(self.folder / "config.toml"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ConfigFault(f"dicomnode {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def wait(self, until: Callable[[], bool], what: str, seconds: float) -> None:
        """Look until it is so.

        Raises:
            ConfigFault: it was not, in time.
        """
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            if until():
                return
            time.sleep(LOOK_S)
        raise ConfigFault(f"{what}: not within {seconds:.0f} s; the log is {self.folder / 'node.log'}")

    def instances(self) -> int:
        """Received so far."""
        with self.index.snapshot() as session:
            return int(session.scalar(select(func.count()).select_from(InstanceRow)) or 0)

    def labels(self) -> int:
        """Labels that belong to a study, so far."""
        with self.index.snapshot() as session:
            return int(session.scalar(select(func.count()).where(LabelRow.state == "attached")) or 0)

    def runs(self, status: str, *, shadow: bool = False) -> int:
        """Runs in this state."""
        query = select(func.count()).where(RunRow.status == status, RunRow.shadow.is_(shadow))
        with self.index.snapshot() as session:
            return int(session.scalar(query) or 0)


@contextmanager
def site(folder: Path, models: Path, model: str, learning: str) -> Iterator[Site]:
    """A node with one approved model, and its PACS, until the block ends.

    Args:
        folder: new, for everything.
        models: folder of bundles.
        model: the one that is routed to.
        learning: the [learn] tables of its config.
    """
    node_port = free_port()
    with pacs(folder / "pacs", NODE, node_port, REPO / "tests") as peer:
        path = folder / "config.toml"
        path.write_text(_config_text(node_port, peer.port, models, model, learning), encoding="utf-8")
        config = load(path)
        config.node.state.mkdir(mode=0o700)
        index = Index(config.index_url)
        index.migrate()
        approve(index, models / model, f"{login_name()}, by running the bench")
        with (folder / "node.log").open("wb") as log_file:
            command = [sys.executable, "-m", "dicomnode", "--config", str(path), "serve"]
            node = subprocess.Popen(command, stdout=log_file, stderr=log_file)
        try:
            here = Site(folder, config, index, peer)
            here.wait(lambda: _is_up(here), "the node did not start", START_S)
            yield here
        finally:
            node.terminate()
            node.wait(60)
            index.close()


def _is_up(here: Site) -> bool:
    ages = snapshot(here.config, here.index).beat_age_s
    return all(ages.get(part, STALE_S) < STALE_S for part in ("receive-0", "engine", "gpu-0", "train"))


def _config_text(node_port: int, pacs_port: int, models: Path, model: str, learning: str) -> str:
    return f"""[node]
state = "state"
[receive]
port = {node_port}
reserve_bytes = 0
[complete]
quiet_s = 2.0
[web]
port = {free_port()}
[infer]
folder = "{models}"
[peers.pacs]
ae_title = "{AE_TITLE}"
host = "127.0.0.1"
port = {pacs_port}
[[routes]]
name = "bench"
when = {{ all = [{{ tag = "StudyDescription", equals = "{ANALYSE}" }}] }}
models = ["{model}"]
destinations = ["pacs"]
{learning}
"""
