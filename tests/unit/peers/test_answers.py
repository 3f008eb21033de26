"""An answer that a call waits for is never lost to the association's own reader."""

import queue
import threading
import time

import pytest

from dicomnode.peers import answers
from dicomnode.peers.answers import Checkpoint


def read(checkpoint: Checkpoint, messages: queue.Queue[str], served: list[str], ended: threading.Event) -> None:
    """The reader of pynetdicom, with a slow turn: it looks at the checkpoint, and only then into the queue."""
    while not ended.is_set():
        checkpoint.wait()
        time.sleep(0.002)
        try:
            served.append(messages.get_nowait())
        except queue.Empty:
            continue


def test_no_answer_that_comes_at_once_goes_to_the_reader() -> None:
    checkpoint, messages, served = Checkpoint(), queue.Queue[str](), list[str]()
    ended = threading.Event()
    reader = threading.Thread(target=read, args=(checkpoint, messages, served, ended), daemon=True)
    reader.start()
    got = []
    for number in range(50):
        checkpoint.clear()
        messages.put(f"answer {number}")
        time.sleep(0.003)  # the caller, on a busy machine, gets to its queue later than the reader would
        got.append(messages.get(timeout=1.0))
        checkpoint.set()
        time.sleep(0.001)
    ended.set()
    checkpoint.set()
    reader.join()

    assert got == [f"answer {number}" for number in range(50)]
    assert served == []


def test_the_reader_takes_what_comes_while_nobody_waits() -> None:
    checkpoint, messages, served = Checkpoint(), queue.Queue[str](), list[str]()
    ended = threading.Event()
    reader = threading.Thread(target=read, args=(checkpoint, messages, served, ended), daemon=True)
    reader.start()
    messages.put("request")
    end_s = time.monotonic() + 5.0
    while not served and time.monotonic() < end_s:
        time.sleep(0.001)
    ended.set()
    reader.join()

    assert served == ["request"]


def test_a_caller_does_not_wait_for_ever_for_a_reader_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PATIENCE_S", 0.01)
    checkpoint = Checkpoint()

    checkpoint.clear()
    checkpoint.set()
    checkpoint.wait()
