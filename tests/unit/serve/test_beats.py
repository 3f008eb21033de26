"""A process says that it lives, to the index and to systemd."""

import socket
import time
from pathlib import Path

import pytest

from dicomnode.index.database import Index
from dicomnode.index.schema import BeatRow
from dicomnode.serve.beats import Heart
from tests.index_made import index_made


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return index_made(tmp_path / "index.sqlite")


def beat(index: Index, process: str) -> BeatRow | None:
    with index.snapshot() as session:
        return session.get(BeatRow, process)


def said_to_systemd(listener: socket.socket) -> list[str]:
    listener.settimeout(0.3)
    said = []
    try:
        for _ in range(100):
            said += listener.recv(4096).decode().split("\n")
    except TimeoutError:
        pass
    return said


def test_a_heart_beats_while_its_block_runs_and_leaves_nothing_behind(index: Index) -> None:
    with Heart(index, "engine", every_s=0.01) as heart:
        heart.ready("polling")
        first = beat(index, "engine")
        assert first is not None
        deadline_s = time.monotonic() + 5
        while time.monotonic() < deadline_s and beat(index, "engine").beat_s == first.beat_s:
            time.sleep(0.01)
        later = beat(index, "engine")
        assert (later.note, later.beat_s > first.beat_s) == ("polling", True)

    assert beat(index, "engine") is None


def test_systemd_hears_ready_watchdog_and_stopping(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

    with Heart(index, "web") as heart:
        heart.ready("listening")
    said = said_to_systemd(listener)
    listener.close()

    assert said[said.index("READY=1") :][:2] == ["READY=1", "STATUS=listening"]
    assert "WATCHDOG=1" in said
    assert said[-1] == "STOPPING=1"


def test_a_process_that_is_stuck_is_not_heard_of(index: Index) -> None:
    with Heart(index, "gpu-0", alive=lambda: False, every_s=0.01):
        time.sleep(0.05)

        assert beat(index, "gpu-0") is None


def test_a_broken_index_does_not_stop_the_process(tmp_path: Path) -> None:
    empty = Index(f"sqlite:///{tmp_path}/index.sqlite")  # never migrated: no table to write to

    with Heart(empty, "receive-0") as heart:
        heart.ready()
    empty.close()
