"""A job of learning in its own process: paused for inference, resumed after a kill, and its faults by name."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.bundles.digest import digest
from dicomnode.errors import DiskReserve, ModelFault
from dicomnode.learn.apart import KilledEachTime, Oversight, Stopped, TooLong, family, run_apart
from dicomnode.learn.job import DONE, FAULT, ORDER
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.values import RecipeName

TRAINER = '''
"""Stands in for training: does what the file "play" in the job's folder says."""
import errno, json, os, signal, subprocess, sys, time, types

def train(order, folder, say):
    with (folder / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\\n")
    say({"stage": "begin"})
    play = (folder / "play").read_text()
    if play == "count":
        helper = subprocess.Popen([sys.executable, "-c", COUNT, str(folder / "helper")], start_new_session=True)
        exec(COUNT, {"PLACE": str(folder / "main")})
    if play == "killed once" and len((folder / "starts").read_text().split()) == 1 or play == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if play == "full":
        raise OSError(errno.ENOSPC, "No space left on device")
    if play == "hangs":
        time.sleep(600)
    facts = {name: name in os.environ for name in ("DICOMNODE_SECRET", "TMPDIR")}
    facts |= {"nice": os.nice(0), "idle": os.sched_getscheduler(0) == os.SCHED_IDLE}
    facts |= {"oom": int(open("/proc/self/oom_score_adj").read())}
    return {"recipe": order.recipe, **facts}

COUNT = """
import os, sys, time
place, parent = globals().get("PLACE") or sys.argv[1], os.getppid()
while os.getppid() == parent:
    with open(place, "a") as file:
        file.write(".")
    time.sleep(0.02)
"""

module = types.ModuleType("dicomnode.learn.train.fit")
module.train = train
sys.modules["dicomnode.learn.train.fit"] = module
sys.modules["dicomnode.infer.monai_alone"] = types.ModuleType("monai")  # it is slow to import and not needed
'''
"""As `sitecustomize`, which Python imports before anything else."""


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainOrder:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TRAINER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("DICOMNODE_SECRET", "hidden")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "dicom.toml").write_text("# a bundle")
    return TrainOrder(
        bundle=bundle, digest=digest(bundle), device="cpu", training_set=tmp_path / "set.json",
        recipe=RecipeName.NORM, seed=1,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir()
    return tmp_path / "job"


BRISK = Oversight(idle=False)
"""For tests, on a machine where much else runs."""


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text().split())


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def waited(condition, seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(condition())


def test_a_job_works_modestly_without_our_secrets_and_is_done_once(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("ok")
    said: list[dict[str, object]] = []

    done = run_apart(folder, order, Oversight(on_progress=said.append))
    again = run_apart(folder, order.model_copy(update={"threads": 2}))

    assert done == again
    assert done == {
        "recipe": "norm", "DICOMNODE_SECRET": False, "TMPDIR": True, "nice": 19, "idle": True, "oom": 900,
    }  # fmt: skip
    assert starts(folder) == 1
    assert sorted(file.name for file in folder.iterdir()) == [DONE, ORDER, "play", "progress.json", "starts"]


def test_a_folder_is_one_jobs(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("ok")
    run_apart(folder, order, BRISK)

    with pytest.raises(ModelFault, match="holds another order"):
        run_apart(folder, order.model_copy(update={"seed": 2}), BRISK)


def test_a_killed_process_goes_on(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("killed once")

    assert run_apart(folder, order, BRISK)["recipe"] == "norm"
    assert starts(folder) == 2


def test_a_process_that_is_killed_each_time_is_given_up(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("killed")

    with pytest.raises(KilledEachTime, match=r"ended 3 times; the last time it was killed by SIGKILL \(mostly: the ma"):
        run_apart(folder, order, BRISK)

    assert starts(folder) == 3


def test_a_fault_has_its_name_and_the_job_can_be_done_again(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("full")

    with pytest.raises(DiskReserve, match="the disk is full"):
        run_apart(folder, order, BRISK)

    assert json.loads((folder / FAULT).read_text())["name"] == "DiskReserve"
    (folder / "play").write_text("ok")
    assert run_apart(folder, order, BRISK)["recipe"] == "norm"


def test_a_bundle_that_is_not_the_ordered_one_is_not_touched(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("ok")
    (order.bundle / "scripts.py").write_text("raise SystemExit")

    with pytest.raises(ModelFault, match="has digest"):
        run_apart(folder, order, BRISK)

    assert not (folder / "starts").exists()


def test_a_job_stops_when_told_and_when_it_takes_too_long(folder: Path, order: TrainOrder) -> None:
    (folder / "play").write_text("hangs")

    with pytest.raises(Stopped):
        run_apart(folder, order, Oversight(should_stop=(folder / "starts").exists, idle=False))
    with pytest.raises(TooLong, match=r"more than 0\.1 s"):
        run_apart(folder, order, Oversight(timeout_s=0.1, idle=False))


@pytest.fixture
def counting(folder: Path, order: TrainOrder) -> Iterator[tuple[threading.Event, list[dict[str, object]]]]:
    """A job whose process counts, and so does one that it started in a session of its own; what pauses it."""
    (folder / "play").write_text("count")
    pause, stop = threading.Event(), threading.Event()
    said: list[dict[str, object]] = []

    def work() -> None:
        with pytest.raises(Stopped):
            run_apart(folder, order, Oversight(said.append, pause.is_set, stop.is_set, idle=False))

    thread = threading.Thread(target=work)
    thread.start()
    yield pause, said
    stop.set()
    thread.join(timeout=30)


def test_inference_stops_a_job_and_all_that_it_started(
    folder: Path, counting: tuple[threading.Event, list[dict[str, object]]]
) -> None:
    pause, said = counting
    counts = [folder / "main", folder / "helper"]
    assert waited(lambda: all(size(count) for count in counts))

    pause.set()
    assert waited(lambda: bool(said) and said[-1]["paused"] is True, 5.0)
    stopped_at = [size(count) for count in counts]
    time.sleep(0.6)
    assert [size(count) for count in counts] == stopped_at

    pause.clear()
    assert waited(lambda: all(size(c) > n for c, n in zip(counts, stopped_at, strict=True)))


def test_a_job_that_ends_leaves_no_process_even_while_it_is_paused(
    folder: Path, counting: tuple[threading.Event, list[dict[str, object]]]
) -> None:
    pause, said = counting
    assert waited(lambda: bool(size(folder / "helper")))
    first = int((folder / "starts").read_text())
    processes = list(family(first))
    pause.set()
    assert waited(lambda: bool(said) and said[-1]["paused"] is True)

    os.kill(first, signal.SIGKILL)
    assert len(processes) == 2
    assert waited(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))
