"""An answer that a call waits for is never lost to the association's own reactor."""

import queue
import threading
from typing import Any

from dicomnode.peers.answers import keep_answers


class Provider:
    def __init__(self) -> None:
        self.msg_queue: queue.Queue[Any] = queue.Queue()

    def get_msg(self, block: bool = False) -> Any:
        try:
            return self.msg_queue.get(block=block, timeout=1.0)
        except queue.Empty:
            return None, None


class Opened:
    """What is used of an association: the queue of its messages, and the flag that pauses its reactor."""

    def __init__(self) -> None:
        self.dimse = Provider()
        self._reactor_checkpoint = threading.Event()
        self._reactor_checkpoint.set()


def test_the_reactor_puts_back_what_it_takes_while_a_call_waits() -> None:
    opened: Any = keep_answers(Opened())  # type: ignore[arg-type]
    opened._reactor_checkpoint.clear()  # a call begins; the reactor has not noticed
    opened.dimse.msg_queue.put((1, "answer"))

    assert opened.dimse.get_msg() == (None, None)
    assert opened.dimse.get_msg(block=True) == (1, "answer")


def test_the_reactor_takes_what_comes_while_nobody_waits() -> None:
    opened: Any = keep_answers(Opened())  # type: ignore[arg-type]
    opened.dimse.msg_queue.put((1, "request"))

    assert opened.dimse.get_msg() == (1, "request")
    assert opened.dimse.get_msg() == (None, None)
