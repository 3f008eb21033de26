"""The node of a demo or a measurement: configured, started and stopped in a folder of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from dicomnode.audit import AuditTrail, login_name
from dicomnode.bundles.approval import approve
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.demo.pacs import AE_TITLE, Pacs, free_port
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.serve.beats import STALE_S
from dicomnode.web.snapshot import snapshot

MODELS = ("hippocampus_mr", "chest_xray_pneumonia")
START_S, LOOK_S = 120.0, 0.2
REPO = Path(__file__).parents[2]


@dataclass(frozen=True)
class Trial:
    """The pieces of one demo."""

    folder: Path
    config: Config
    index: Index


def require_repo() -> None:
    """The demo's images and models lie beside the package.

    Raises:
        ConfigFault: they do not.
    """
    for needed in (REPO / "tests" / "data" / "hippocampus", REPO / "models" / MODELS[0]):
        if not needed.is_dir():
            raise ConfigFault(f"{needed} is missing: the demo runs from a clone of the repository (`make demo`)")


def configured(folder: Path, port: int, peer: Pacs) -> Trial:
    """A node in a folder, on a port, that sends its results to a PACS; its two models are approved."""
    path = folder / "config.toml"
    path.write_text(_config_text(port, peer), encoding="utf-8")
    config = load(path)
    config.node.state.mkdir(mode=0o700)
    index = Index(config.index_url)
    index.migrate()
    for name in MODELS:  # these are the repository's own; a hospital approves each by `dicomnode models approve`
        version = approve(index, config.infer.folder / name, f"{login_name()}, by running the demo")
        AuditTrail.of(config).approved(by=login_name(), model=name, digest=version.digest)
    return Trial(folder, config, index)


def _config_text(port: int, peer: Pacs) -> str:
    source = 'source = "pacs"\n' if peer.query else ""
    return f"""# Written by `dicomnode demo`.
[receive]
port = {port}
reserve_bytes = 1000000000

[complete]
quiet_s = 3.0
settle_s = 1.0

[infer]
folder = "{REPO / "models"}"

[peers.pacs]
ae_title = "{AE_TITLE}"
host = "127.0.0.1"
port = {peer.port}
query = {str(peer.query).lower()}

[[routes]]
name = "hippocampus"
when = {{ all = [{{ tag = "Modality", equals = "MR" }}] }}
models = ["hippocampus_mr"]
destinations = ["pacs"]
{source}
[[routes]]
name = "chest radiographs"
when = {{ all = [{{ tag = "Modality", one_of = ["DX", "CR"] }}, {{ tag = "BodyPartExamined", equals = "CHEST" }}] }}
models = ["chest_xray_pneumonia"]
destinations = ["pacs"]
{source}
[web]
port = {free_port()}
"""


@contextmanager
def running(trial: Trial) -> Iterator[None]:
    """The node's processes, until the block ends."""
    command = [sys.executable, "-m", "dicomnode", "--config", str(trial.folder / "config.toml"), "serve"]
    with (trial.folder / "node.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_until_up(trial: Trial, progress: Progress) -> None:
    """Wait until studies can come in; the models go on loading meanwhile.

    Raises:
        ConfigFault: one did not, in time.
    """
    parts = ("receive-0", "engine")
    task = progress.add_task("starting the node", total=len(parts))
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        ages = snapshot(trial.config, trial.index).beat_age_s
        up = sum(ages.get(part, STALE_S) < STALE_S for part in parts)
        progress.update(task, completed=up)
        if up == len(parts):
            return
        time.sleep(LOOK_S)
    raise ConfigFault(f"the node did not start in {START_S:.0f} s; its log is {trial.folder / 'node.log'}")
