"""An answer that a call waits for is never lost to the association's own reader."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from dicomnode.peers import answers
from dicomnode.peers.answers import Checkpoint, keep_answers


@dataclass
class Reader:
    """The reader of pynetdicom, with a slow turn: it looks at the checkpoint, and only then into the queue."""

    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    messages: queue.Queue[str] = field(default_factory=queue.Queue)
    served: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.ended.is_set():
            self.checkpoint.wait()
            time.sleep(0.002)
            with suppress(queue.Empty):
                self.served.append(self.messages.get_nowait())


@pytest.fixture
def reader() -> Iterator[Reader]:
    """A reader at work."""
    made = Reader()
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.ended.set()
    made.checkpoint.set()
    thread.join()


def test_no_answer_that_comes_at_once_goes_to_the_reader(reader: Reader) -> None:
    got = []
    for number in range(50):
        reader.checkpoint.clear()
        reader.messages.put(f"answer {number}")
        time.sleep(0.003)  # the caller, on a busy machine, gets to its queue later than the reader would
        got.append(reader.messages.get(timeout=1.0))
        reader.checkpoint.set()
        time.sleep(0.001)

    assert got == [f"answer {number}" for number in range(50)]
    assert reader.served == []


def test_the_reader_takes_what_comes_while_nobody_waits(reader: Reader) -> None:
    reader.messages.put("request")
    end_s = time.monotonic() + 5.0
    while not reader.served and time.monotonic() < end_s:
        time.sleep(0.001)

    assert reader.served == ["request"]


def test_pynetdicom_pauses_its_reader_by_what_is_replaced() -> None:
    opened = Association(AE(), "requestor")
    assert isinstance(opened._reactor_checkpoint, threading.Event)

    assert isinstance(keep_answers(opened)._reactor_checkpoint, Checkpoint)


def test_a_caller_does_not_wait_for_ever_for_a_reader_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PATIENCE_S", 0.01)
    checkpoint = Checkpoint()

    checkpoint.clear()
    checkpoint.set()
    checkpoint.wait()
