"""Runs one job of learning in a process of its own, which inference pre-empts and which may die without harm.

The process takes the processor when nobody else wants it. While `should_pause` says so it is stopped altogether
(SIGSTOP), with all that it started; its memory stays, which on an accelerator is at most the order's `memory_share`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from dicomnode import errors
from dicomnode.errors import ModelFault, Permanent, Transient
from dicomnode.index.database import Index
from dicomnode.index.runs import analyses_wait
from dicomnode.infer.worker import child_environment
from dicomnode.learn.job import DONE, FAULT, PROGRESS, AnyOrder, place_order, read
from dicomnode.learn.orders import TrainOrder
from dicomnode.scratch import scratch_folder

log = structlog.get_logger()

LOOK_S = 0.25
"""Between two looks at the process and at who wants the machine."""
STARTS = 3
"""Of one job: a killed process goes on from what its folder holds."""
TAIL_LINES = 20


class Stopped(Permanent):
    """A person stopped the job, or another node makes it now."""


class TooLong(Permanent):
    """A job worked longer than it may."""


class KilledEachTime(Permanent):
    """The process of a job was killed each time it was started."""


def inference_wants(index: Index) -> bool:
    """Whether an analysis waits or runs whose results a person waits for; costs a look at one index column."""
    with index.snapshot() as session:
        return analyses_wait(session)


def _never() -> bool:
    return False


def _ignore(_: dict[str, object]) -> None:
    return None


@dataclass(frozen=True)
class Oversight:
    """What is asked and told while a job runs, four times a second; none of it may take long."""

    on_progress: Callable[[dict[str, object]], None] = _ignore
    """Told what the job says of itself, with "paused", when that changes."""
    should_pause: Callable[[], bool] = _never
    should_stop: Callable[[], bool] = _never
    timeout_s: float | None = None
    """Of work, pauses not counted."""
    idle: bool = True
    """Take only processor time that nobody else wants; otherwise less than others (nice 10)."""


def run_apart(folder: Path, order: AnyOrder, oversight: Oversight | None = None) -> dict[str, object]:
    """What comes of an order; without any work where it was done before.

    Raises:
        ModelFault: the bundle is not the ordered one, or its code failed; or the folder is another job's.
        DeviceBusy: there is too little memory.
        DiskReserve: the disk is full.
        Stopped: `should_stop` said so; what the folder holds is kept.
        TooLong: it worked for longer than `timeout_s`.
        KilledEachTime: the process was killed STARTS times.
        NodeError: of the kind that the child names.
    """
    watched = oversight or Oversight()
    place_order(folder, order)
    how = ""
    for start in range(STARTS):
        if (done := read(folder / DONE)) is not None:
            return done
        if start:
            log.warning("learning.resumed", job=folder.name, how=how, start=start + 1)
        how = _one_start(folder, order, watched)
    if (done := read(folder / DONE)) is not None:
        return done
    raise KilledEachTime(f"the process of job {folder.name} ended {STARTS} times; the last time it {how}")


def _one_start(folder: Path, order: AnyOrder, watched: Oversight) -> str:
    """How the process ended, in words, where it neither finished nor said why not."""
    with _process(folder, order, idle=watched.idle) as child:
        _watch(child, folder, watched)
        how = child.ending()
        if (fault := read(folder / FAULT)) is not None:
            log.error("learning.fault", job=folder.name, fault=fault["name"], output=list(child.tail))
            raise _error(str(fault["name"]))(str(fault["words"]))
        if not (folder / DONE).is_file():
            log.error("learning.lost", job=folder.name, how=how, output=list(child.tail))
        return how


def _error(name: str) -> type[errors.NodeError]:
    """The error of that name in the tree; a fault whose name is unknown is the bundle's."""
    found = getattr(errors, name, ModelFault)
    is_one = isinstance(found, type) and issubclass(found, Permanent | Transient)
    return found if is_one else ModelFault


def _watch(child: "_Child", folder: Path, watched: Oversight) -> None:
    """Until the process ends: pause it, let it go on, tell how far it is."""
    told: dict[str, object] = {}
    worked_s, last_s = 0.0, time.monotonic()
    while child.is_alive(LOOK_S):
        now_s = time.monotonic()
        worked_s, last_s = worked_s + (0.0 if child.paused else now_s - last_s), now_s
        if watched.should_stop():
            raise Stopped(f"job {folder.name} was stopped")
        if watched.timeout_s is not None and worked_s > watched.timeout_s:
            raise TooLong(
                f"job {folder.name} worked for more than {watched.timeout_s:g} s and was ended ([learn] max_hours)"
            )
        child.pause(wanted=watched.should_pause())
        if (now := {**(read(folder / PROGRESS) or {}), "paused": child.paused}) != told:
            told = now
            watched.on_progress(told)


@contextmanager
def _process(folder: Path, order: AnyOrder, *, idle: bool) -> Iterator["_Child"]:
    """A started child. Nothing of it is left when the block ends.

    Linux sends a child its parent-death signal (prctl(2)) when the thread that started it ends: this one waits for it.
    """
    with scratch_folder(folder) as scratch:
        child = _Child(_started(folder, order, scratch, idle=idle), folder.name)
        try:
            yield child
        finally:
            child.end()


def _started(folder: Path, order: AnyOrder, scratch: Path, *, idle: bool) -> "subprocess.Popen[str]":
    ranks = order.processes if isinstance(order, TrainOrder) else 1
    threads = order.threads or (max(1, (os.cpu_count() or 1) // ranks) if ranks > 1 else 0)
    told = [str(folder.resolve()), str(os.getpid()), *(["idle"] if idle else [])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "dicomnode.learn.child", *told],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=child_environment(threads, scratch) | {"PYTHONSAFEPATH": "1"},
        process_group=0,  # Ctrl-C is for the node, which ends its processes itself
    )  # fmt: skip


class _Child:
    """A process with all that it starts."""

    def __init__(self, popen: "subprocess.Popen[str]", job: str) -> None:
        self.popen, self.job = popen, job
        self.paused = False
        self._stopped: tuple[int, ...] = ()
        """Processes that were stopped last, and that whoever started them may leave behind."""
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._reader = threading.Thread(target=self._read, daemon=True, name="learning-output")
        self._reader.start()

    def is_alive(self, wait_s: float) -> bool:
        """Whether it still runs (or is paused) after a while; returns at once when it ends."""
        try:
            self.popen.wait(wait_s)
        except subprocess.TimeoutExpired:
            return True
        return False

    def pause(self, *, wanted: bool) -> None:
        """Stop every process, or let all go on; the first before those it started, so that none escapes."""
        if wanted == self.paused:
            return
        if wanted:
            self._stop()
        else:
            self._go_on()
        self.paused = wanted
        log.debug("learning.paused" if wanted else "learning.continued", job=self.job)

    def end(self) -> None:
        """Kill what is left of it."""
        if self.popen.poll() is None:
            self._stop()  # nobody starts another, and all are still found
            for pid in self._stopped:
                _send(pid, signal.SIGKILL)
        self._go_on()  # an orphan that was paused ends by itself, once it sees that it is one
        self.popen.wait()
        self._reader.join(timeout=5)

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.popen.wait()
        if code >= 0:
            return f"ended with exit code {code}"
        hint = " (mostly: the machine ran out of memory, `journalctl -k` tells)" if code == -signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"

    def _stop(self) -> None:
        stopped = []
        for pid in family(self.popen.pid):
            _send(pid, signal.SIGSTOP)
            stopped.append(pid)
        self._stopped = tuple(stopped)

    def _go_on(self) -> None:
        for pid in self._stopped:
            _send(pid, signal.SIGCONT)
        self._stopped = ()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as output:
            for line in output:
                self.tail.append(line.rstrip()[:500])


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def family(pid: int) -> Iterator[int]:
    """A process and all that it started, itself first; torchrun gives each rank a session of its own.

    The children of one are looked for when it has been seen to: who is stopped by then starts no more of them.
    """
    yield pid
    for child in _children(pid):
        yield from family(child)


def _children(pid: int) -> list[int]:
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _parent(stat) == pid]


def _parent(stat: Path) -> int:
    """Of the process that a /proc/PID/stat tells of (proc_pid_stat(5)): the second field behind its name."""
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
