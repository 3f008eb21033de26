"""A process says that it lives: to the index every few seconds, and to systemd's watchdog."""

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog
from sdnotify import SystemdNotifier
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.index.database import Index
from dicomnode.index.schema import BeatRow

log = structlog.get_logger()

EVERY_S = 3.0
JOIN_S = 5.0
STALE_S = 20.0
"""A process whose last beat is older counts as not running."""


class Heart:
    """Beats in the background while the block runs.

    with Heart(index, "engine", alive=worker.is_alive) as heart:
        ...
        heart.ready("polling 3 queues")
        stop.wait()
    """

    def __init__(
        self, index: Index, process: str, *, alive: Callable[[], bool] = lambda: True, every_s: float = EVERY_S
    ) -> None:
        """A heart for one process.

        Args:
            index: where the beat's row is kept.
            process: unique name of the process ("receive-0", "engine", "gpu-0", "web").
            alive: asked before each beat; while it says no, neither the index nor the watchdog hears
                of us, and systemd restarts the process.
            every_s: seconds between beats.
        """
        self._index, self._process, self._alive, self._every_s = index, process, alive, every_s
        self._started_s = time.time()
        self._note = "starting"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heart of {process}", daemon=True)
        self._systemd = SystemdNotifier() if "NOTIFY_SOCKET" in os.environ else None

    def __enter__(self) -> Self:
        """Start to beat."""
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and leave no row behind that would look like a crash."""
        self._stop.set()
        self._thread.join(timeout=JOIN_S)
        self._write(self._forget)
        if self._systemd:
            self._systemd.notify("STOPPING=1")
            self._systemd.socket.close()

    def ready(self, note: str = "") -> None:
        """Tell systemd that the service is up; the note appears in `dicomnode status`."""
        self.say(note)
        self._notify(f"READY=1\nSTATUS={note}")
        self._beat()

    def say(self, note: str) -> None:
        """Change the note that the next beat carries; no identity belongs in it."""
        self._note = note

    def _notify(self, state: str) -> None:
        if self._systemd:
            self._systemd.notify(state)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._beat()

    def _beat(self) -> None:
        if self._alive():
            self._notify("WATCHDOG=1")
            self._write(self._remember)

    def _write(self, change: Callable[[], None]) -> None:
        """A full disk or a busy index must not stop a process that is well otherwise."""
        try:
            change()
        except SQLAlchemyError as fault:
            log.warning("beat.unwritten", beat_of=self._process, reason=type(fault).__name__)

    def _remember(self) -> None:
        row = BeatRow(
            process=self._process, pid=os.getpid(), started_s=self._started_s, beat_s=time.time(), note=self._note
        )
        with self._index.transaction() as session:
            session.merge(row)

    def _forget(self) -> None:
        mine = delete(BeatRow).where(BeatRow.process == self._process, BeatRow.pid == os.getpid())
        with self._index.transaction() as session:
            session.execute(mine)
