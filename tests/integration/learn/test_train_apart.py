"""Training in the child process that does it: killed by SIGKILL on the way, and in two processes."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from dicomnode.learn.adapters.file import read_adapter
from dicomnode.learn.apart import Oversight, run_apart
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, order_made, set_made

SPLITS = {Split.TRAIN: 20, Split.VALIDATION: 8, Split.CALIBRATION: 8}
REPOSITORY = str(Path(__file__).parents[3])


@pytest.fixture(autouse=True)
def children_find_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([REPOSITORY, os.environ.get("PYTHONPATH", "")]))


def ordered(folder: Path, **more: object) -> TrainOrder:
    """A few epochs of the small network."""
    version = classifier_made(folder)
    return order_made(version, set_made(folder, version, SPLITS), RecipeName.NORM, **({"epochs": 12} | more))


def kill_at_the_checkpoint(job: Path, killed: list[int]) -> None:
    """SIGKILL to the child as soon as it has kept an epoch."""
    until_s = time.monotonic() + 120
    while not (job / "norm.checkpoint").exists() and time.monotonic() < until_s:
        time.sleep(0.005)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        words = process.read_bytes().split(b"\0") if process.exists() else []
        if b"dicomnode.learn.child" in words and str(job).encode() in words:
            os.kill(int(process.parent.name), signal.SIGKILL)
            killed.append(int(process.parent.name))
            return


@pytest.mark.soak
def test_a_training_that_was_killed_with_sigkill_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    order = ordered(tmp_path)
    whole = run_apart(tmp_path / "whole", order, Oversight(idle=False))
    killed: list[int] = []
    killer = threading.Thread(target=kill_at_the_checkpoint, args=(tmp_path / "killed", killed))

    killer.start()
    again = run_apart(tmp_path / "killed", order, Oversight(idle=False))
    killer.join()

    adapters = [(tmp_path / job / "adapter.safetensors").read_bytes() for job in ("whole", "killed")]
    assert killed
    assert adapters[0] == adapters[1]
    assert json.dumps(whole["history"]) == json.dumps(again["history"])


@pytest.mark.soak
def test_two_processes_train_one_candidate_together(tmp_path: Path) -> None:
    order = ordered(tmp_path, epochs=3)
    alone = run_apart(tmp_path / "alone", order, Oversight(idle=False))

    together = run_apart(tmp_path / "together", order.model_copy(update={"processes": 2}), Oversight(idle=False))

    one, other = (read_adapter(tmp_path / job / "adapter.safetensors").tensors for job in ("alone", "together"))
    assert one.keys() == other.keys()
    assert together["epochs"] == alone["epochs"] == 3
