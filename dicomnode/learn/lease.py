"""Which node makes a learning: it says so again and again while it does, and loses its turn once nobody hears of it.

Nobody's time of day is believed, since clocks are set back and differ from node to node: who waits looks whether the
holder said anything new since its own last look, and counts by its own monotonic clock for how long it did not.
"""

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.archive.files import write_whole
from dicomnode.index.database import Index
from dicomnode.index.learning import LearningRow
from dicomnode.index.learnings import Holder, held, take_up

log = structlog.get_logger()

LEASE_S = 900.0
"""For so long a node may say nothing without losing its turn. It stops by itself long before: within a second where the
index answers with a fault, and within the minute after which a dead connection to PostgreSQL ends."""
SAY_S = 15.0
"""Between two times that it says so."""
SILENT_S = 4 * SAY_S
"""From then on a person is told that it says nothing."""
GAP_S = 300.0
"""Who did not look for longer (it stood still, or the index was away for everybody) begins to count anew."""
NODE_FILE = Path("node.id")
"""Below the state folder, where the job folders lie: the host's name when it was written, and what tells it apart."""
HOST_LENGTH = 48


def node_of(state: Path) -> str:
    """Name of the installation whose state folder this is; the same for as long as the folder is."""
    file = state / NODE_FILE
    if file.is_file() and (known := file.read_text(encoding="utf-8").strip()):
        return known
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", socket.gethostname())[:HOST_LENGTH]
    made = f"{host}-{secrets.token_hex(4)}"
    write_whole(file, f"{made}\n".encode())
    return made


@dataclass(frozen=True)
class Heard:
    """What a look at another's learning found."""

    said: tuple[str, str, float | None]
    since_s: float
    """The first look that found just this, on the monotonic clock."""
    looked_s: float
    """The last one."""


class Lease:
    """What one train process says of the learning that it makes, and hears of those that others make."""

    def __init__(self, index: Index, state: Path, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._index, self._state, self._monotonic_s = index, state, monotonic_s
        self._heard: dict[str, Heard] = {}

    @cached_property
    def holder(self) -> Holder:
        """The node, and the present start of its train process."""
        return Holder(node_of(self._state), secrets.token_hex(4))

    @contextmanager
    def kept(self, job: str) -> Iterator[None]:
        """Say that this node lives, until the block ends, as long as the learning is its own.

        What an earlier process of this node began is this process's from here on; that one would find it is no longer.
        """
        with self._index.transaction() as session:
            take_up(session, job, self.holder, time.time())
        stop = threading.Event()
        thread = threading.Thread(target=self._say, args=(job, stop), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def is_gone(self, row: LearningRow) -> bool:
        """Whether whoever makes this has said nothing for LEASE_S, of which this process looked every GAP_S."""
        said, now_s = (row.node, row.process, row.seen_s), self._monotonic_s()
        before = self._heard.get(row.job)
        if before is None or before.said != said or now_s - before.looked_s > GAP_S:
            before = Heard(said, now_s, now_s)
        self._heard[row.job] = replace(before, looked_s=now_s)
        return now_s - before.since_s > LEASE_S

    def _say(self, job: str, stop: threading.Event) -> None:
        while not stop.wait(SAY_S):
            try:
                with self._index.transaction() as session:
                    if row := held(session, job, self.holder):
                        row.seen_s = time.time()
            except SQLAlchemyError as fault:  # a busy index must not stop what is well otherwise
                log.warning("lease.unsaid", job=job, reason=type(fault).__name__)
