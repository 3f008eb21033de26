"""Real training in a process of its own: killed and paused it ends where it would have; two processes do as one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dicomnode.learn.adapters.file import read_adapter
from dicomnode.learn.apart import Oversight, family, run_apart
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, order_made, set_made

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
SPLITS = {Split.TRAIN: 21, Split.VALIDATION: 8, Split.CALIBRATION: 8}
LONG = SPLITS | {Split.TRAIN: 600}
"""Enough for some seconds of training."""
FILE = "adapter.safetensors"
BRISK = Oversight(idle=False)


def test_a_training_that_is_killed_and_paused_ends_bit_for_bit_where_it_would_have_ended(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, LONG), RecipeName.NORM, epochs=5)
    asked, killed = [0], []

    def on_progress(told: dict[str, object]) -> None:
        if not killed and told.get("stage") == "norm" and int(str(told["done"])) >= 2:
            (child,) = [pid for pid in family(os.getpid()) if b"dicomnode.learn.child" in command(pid)]
            killed.append(child)
            os.kill(child, signal.SIGKILL)

    def should_pause() -> bool:
        asked[0] += 1
        return asked[0] % 20 == 0

    told = run_apart(tmp_path / "killed", order, Oversight(on_progress, should_pause, idle=False))
    whole = run_apart(tmp_path / "whole", order, BRISK)

    assert killed
    assert told["history"] == whole["history"]
    assert (tmp_path / "killed" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


def command(pid: int) -> bytes:
    found = Path(f"/proc/{pid}/cmdline")
    return found.read_bytes() if found.exists() else b""


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, SPLITS), RecipeName.HEAD, epochs=4, learning_rate=0.01)

    one = run_apart(tmp_path / "one", order, BRISK)
    two = run_apart(tmp_path / "two", order.model_copy(update={"processes": 2, "threads": 1}), BRISK)

    ours, theirs = (read_adapter(tmp_path / name / FILE).tensors for name in ("one", "two"))
    assert one["epochs"] == two["epochs"]
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-6) for name in ours)


def test_training_code_does_not_reach_the_process_that_watches() -> None:
    code = "import sys, dicomnode.learn.apart; sys.exit('torch' in sys.modules or 'monai' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
