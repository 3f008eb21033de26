"""Answers that a caller waits for reach it, and nobody else.

An association of pynetdicom (3.0) has a reader of its own, which takes messages from the queue in which the caller
awaits its answer. Told to pause, the reader may run one turn more; where the answer comes at once, on a busy machine,
about one in some hundred then goes to the reader, and the caller waits for its timeout and aborts.
"""

import threading

from pynetdicom.association import Association

PATIENCE_S = 2.0
"""The reader of an association that has ended never pauses."""


class Checkpoint:
    """Stands in for the Event that pauses the reader: `clear` returns when the reader does stand still."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_set, self._stands = True, False

    def set(self) -> None:
        """The reader may go on."""
        with self._changed:
            self._is_set, self._stands = True, False
            self._changed.notify_all()

    def clear(self) -> None:
        """Stop the reader, and wait until it has stopped."""
        with self._changed:
            self._is_set = False
            self._changed.wait_for(lambda: self._stands, PATIENCE_S)

    def wait(self) -> None:
        """The reader's side."""
        with self._changed:
            while not self._is_set:
                self._stands = True
                self._changed.notify_all()
                self._changed.wait()


def keep_answers(association: Association) -> Association:
    """The same association, whose answers reach who asked."""
    association._reactor_checkpoint = Checkpoint()
    return association
