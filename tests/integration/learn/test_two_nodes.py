"""Two nodes with one index and an engine each make no learning twice, also where one is killed and comes back."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicomnode.index.database import Index
from dicomnode.index.learning import LearningRow
from dicomnode.index.learnings import require_learning
from dicomnode.learn.asking import Asked, Trigger, ask
from dicomnode.learn.lease import node_of
from tests.index_made import index_made

PROGRAM = Path(__file__).parent / "node_made.py"
PATIENCE_S = 60.0

pytestmark = pytest.mark.timeout(240)


@contextmanager
def running(index: Index, state: Path) -> Iterator["subprocess.Popen[str]"]:
    """A node's train process, killed when the block ends."""
    command = [sys.executable, str(PROGRAM), index.url, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any(line.strip() == "ready" for line in process.stdout)
            yield process
        finally:
            process.kill()


def done(state: Path) -> list[str]:
    """What a node says that it did."""
    return (state / "done.txt").read_text().splitlines() if (state / "done.txt").exists() else []


def until(found: Callable[[], bool], what: str) -> None:
    ends_s = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < ends_s, what
        time.sleep(0.1)


def test_a_learning_is_made_by_one_node_and_by_the_other_once_that_is_gone_for_good(tmp_path: Path) -> None:
    index, first, second = index_made(tmp_path / "index.sqlite"), tmp_path / "first", tmp_path / "second"
    with index.transaction() as session:
        job = ask(session, Asked("lung", Trigger.PERSON, "1"), 1.0).job

    def row() -> LearningRow:
        with index.snapshot() as session:
            return require_learning(session, job)

    with running(index, first):
        until(lambda: done(first) == ["collect"], "the first node to begin")
    with running(index, first) as killed:
        until(lambda: done(first) == ["collect"] * 2, "the first node to go on after it was killed")
        with running(index, second):
            time.sleep(8.0)  # longer than the lease: the first one lives
            assert (done(second), row().node) == ([], node_of(first))

            killed.kill()
            until(lambda: done(second) == ["collect"], "the second node to take it over")
            assert row().reason == f"begun again: nobody heard of {node_of(first)}, which was at collect"

            with running(index, first):
                until(lambda: len(done(first)) > 2, "the first node to find that it has lost its turn")
                assert done(first) == ["collect", "collect", "ended: Stopped"]
                (second / "go").touch()
                until(lambda: row().state == "done", "the learning to end")

    assert (row().reason, row().node) == ("too few", node_of(second))
    assert done(second) == ["collect", "ended: TooFewLabels"]
