"""`dicomnode demo`: a PACS, the node on its defaults, real studies through both, a table and pictures."""

import shutil
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dicomnode.demo.found import Found, found_in, picture
from dicomnode.demo.pacs import AE_TITLE, Pacs, free_port, pacs, store
from dicomnode.demo.studies import DemoStudy, demo_studies
from dicomnode.demo.trial import LOOK_S, REPO, Trial, configured, require_repo, running, wait_until_up

NODE_AE = "DICOMNODE"
WORK_S = 240.0
ENDED = ("done", "parked", "cancelled")


def run_demo(folder: Path, console: Console) -> bool:
    """Run the whole path once; whether every study was answered, stored and committed.

    Raises:
        ConfigFault: the images or models of the repo are not there, or a part does not start.
    """
    began_s = time.monotonic()
    require_repo()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = free_port()
    with pacs(folder / "pacs", NODE_AE, port, REPO / "tests") as peer:
        trial = configured(folder, port, peer)
        console.print(f"PACS: {peer.said}\nnode: {NODE_AE} on port {port}, state in {trial.config.node.state}")
        with running(trial), _progress(console) as progress:
            studies = demo_studies(REPO / "tests" / "data", folder / "images")  # while the node starts
            wait_until_up(trial, progress)
            _send(studies, peer, progress)
            found = _watch(trial, studies, progress)
    return _told(trial, studies, found, console, time.monotonic() - began_s)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


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
