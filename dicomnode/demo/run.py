"""`dicomnode demo`: a PACS, the node on its defaults, real studies through both, a table and pictures."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dicomnode.audit import AuditTrail, login_name
from dicomnode.bundles.approval import approve
from dicomnode.config.load import load
from dicomnode.config.tables import Config
from dicomnode.demo.found import Found, found_in, picture
from dicomnode.demo.pacs import AE_TITLE, Pacs, free_port, pacs, store
from dicomnode.demo.studies import DemoStudy, demo_studies
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.serve.beats import STALE_S
from dicomnode.web.snapshot import snapshot

MODELS = ("hippocampus_mr", "chest_xray_pneumonia")
NODE_AE = "DICOMNODE"
START_S, WORK_S, LOOK_S = 120.0, 240.0, 0.2
REPO = Path(__file__).parents[2]
ENDED = ("done", "parked", "cancelled")


@dataclass(frozen=True)
class Trial:
    """The pieces of one demo."""

    folder: Path
    config: Config
    index: Index


def run_demo(folder: Path, console: Console) -> bool:
    """Run the whole path once; whether every study was answered, stored and committed.

    Raises:
        ConfigFault: the images or models of the repo are not there, or a part does not start.
    """
    began_s = time.monotonic()
    _require_repo()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    studies = demo_studies(REPO / "tests" / "data", folder / "images")
    port = free_port()
    with pacs(folder / "pacs", NODE_AE, port, REPO / "tests") as peer:
        trial = _configured(folder, port, peer)
        console.print(f"PACS: {peer.said}\nnode: {NODE_AE} on port {port}, state in {trial.config.node.state}")
        with _node(trial), _progress(console) as progress:
            _wait_until_up(trial, progress)
            _send(studies, peer, progress)
            found = _watch(trial, studies, progress)
    return _told(trial, studies, found, console, time.monotonic() - began_s)


def _require_repo() -> None:
    for needed in (REPO / "tests" / "data" / "hippocampus", REPO / "models" / MODELS[0]):
        if not needed.is_dir():
            raise ConfigFault(f"{needed} is missing: the demo runs from a clone of the repository (`make demo`)")


def _configured(folder: Path, port: int, peer: Pacs) -> Trial:
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
def _node(trial: Trial) -> Iterator[None]:
    command = [sys.executable, "-m", "dicomnode", "--config", str(trial.folder / "config.toml"), "serve"]
    with (trial.folder / "node.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _wait_until_up(trial: Trial, progress: Progress) -> None:
    parts = ("receive-0", "engine", "gpu-0")
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


def _send(studies: list[DemoStudy], peer: Pacs, progress: Progress) -> None:
    for study in progress.track(studies, description="sending studies to the PACS"):
        store(list(study.files), AE_TITLE, peer.port, "MODALITY")


def _watch(trial: Trial, studies: list[DemoStudy], progress: Progress) -> list[Found]:
    task = progress.add_task("analysed, stored and committed", total=len(studies))
    end_s = time.monotonic() + WORK_S
    found: list[Found] = []
    while time.monotonic() < end_s:
        found = found_in(trial.index)
        ended = sum(one.status in ENDED for one in found)
        progress.update(task, completed=ended)
        if ended >= len(studies):
            break
        time.sleep(LOOK_S)
    return found


def _told(trial: Trial, studies: list[DemoStudy], found: list[Found], console: Console, seconds: float) -> bool:
    table = Table(box=None)
    for column in (
        "study",
        "model",
        "finding",
        "data set says",
        "volume s",
        "infer s",
        "encode s",
        "stored",
        "committed",
    ):
        table.add_column(column, no_wrap=column in ("study", "model"))
    by_uid = {one.study_uid: one for one in found}
    pictures = []
    for study in studies:
        one = by_uid.get(study.study_uid)
        if one is None:
            table.add_row(study.name, "-", "[red]no answer[/]", study.reference, *["-"] * 5)
            continue
        pictures.append(picture(trial.config, trial.index, study, one, trial.folder / "pictures"))
        table.add_row(*_line(study, one))
    console.print(table)
    complete = len(found) == len(studies) and all(one.status == "done" for one in found)
    console.print(
        f"{len(found)} of {len(studies)} studies answered in {seconds:.0f} s; AI results, not for clinical use"
    )
    console.print(f"pictures: {trial.folder / 'pictures'}  ({', '.join(path.name for path in pictures)})")
    console.print(
        f"results as DICOM: {trial.config.node.state / 'outbox'}\nlog: {trial.folder / 'node.log'}", highlight=False
    )
    trial.index.close()
    return complete


def _line(study: DemoStudy, one: Found) -> tuple[str, ...]:
    seconds = [f"{one.seconds.get(stage, 0.0):.1f}" for stage in ("volume", "predict", "encode")]
    said = one.said if one.status == "done" else f"[red]{one.status}[/]: {one.said}"
    return study.name, one.model, said, study.reference, *seconds, str(one.objects), str(one.committed)
