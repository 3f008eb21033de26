"""One warm process that holds one model; killed when it hangs, replaced when it dies.

The process is started afresh (no fork of ours), knows neither the patient nor our secrets, and
dies with us. Its prints go to our log, never into the protocol.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path

import structlog

from dicomnode.errors import NodeError
from dicomnode.infer.faults import TimedOut, WorkerLost
from dicomnode.infer.protocol import Ask, Load, prediction_of
from dicomnode.infer.wire import BrokenFrame, Message, receive, send
from dicomnode.scratch import scratch_folder
from dicomnode.values import Prediction

log = structlog.get_logger()

LOAD_TIMEOUT_S = 600.0
"""A process that has not loaded its bundle by then is killed; on a busy machine the start of torch takes minutes."""
TAIL_LINES = 20
ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
ENVIRONMENT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "PYTORCH_", "TORCH_", "OMP_", "MKL_")


class Worker:
    """The process of one model. One request at a time; not for use from two threads at once."""

    def __init__(self, name: str, load: Load) -> None:
        self.name, self.load = name, load
        self._process: _Process | None = None
        self._loaded = self._closed = False
        self._start()

    def predict(self, ask: Ask, *, timeout_s: float) -> Prediction:
        """The model's answer; the time to load the bundle does not count.

        Raises:
            TimedOut: no answer within `timeout_s`; the process was killed.
            WorkerLost: the process ended.
            NodeError: as the process says.
        """
        self.await_loaded()
        return prediction_of(self._exchange(ask.message(), timeout_s))

    def await_loaded(self) -> None:
        """Wait until the bundle is loaded, in a fresh process where there is none.

        Raises:
            ModelFault: the bundle cannot be loaded.
            WorkerLost: the process ended, or took longer than LOAD_TIMEOUT_S.
        """
        if self._process is None:
            self._start()
        if self._loaded:
            return
        answer = self._exchange(None, LOAD_TIMEOUT_S)
        if answer.kind != "loaded":
            self._end()
            prediction_of(answer)
        self._loaded = True
        log.info("model.loaded", model=self.name, device=answer.fields["device"], seconds=answer.fields["seconds"])

    def swap(self, load: Load) -> None:
        """Have the process answer as another version of the base that it holds, from now on.

        Raises:
            ModelFault: it is no such version. It answers as the one before, in a fresh process.
            WorkerLost: the process ended, or took longer than LOAD_TIMEOUT_S.
        """
        before, self.load = self.load, load  # what a fresh process loads
        try:
            self._swap()
        except NodeError:
            self._end()
            self.load = before
            raise

    def _swap(self) -> None:
        if not self._loaded:
            self._end()
            self.await_loaded()
            return
        answer = self._exchange(self.load.swap_message(), LOAD_TIMEOUT_S)
        if answer.kind != "loaded":
            prediction_of(answer)
        log.info("model.swapped", model=self.name, digest=self.load.digest[:12], seconds=answer.fields["seconds"])

    def close(self) -> None:
        """End the process for good; a prediction that is under way in another thread is lost."""
        self._closed = True
        self._end()

    def tidy(self) -> None:
        """Remove the temporary files of its process, which is about to end with ours."""
        if self._process is not None:
            self._process.tidy()

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return self._process.pid if self._process else None

    def _start(self) -> "_Process":
        if self._closed:
            raise WorkerLost(self.name, "was closed")
        process = _Process(self.load.threads)
        self._process, self._loaded = process, False
        try:
            send(process.channel, self.load.message(), deadline=time.monotonic() + LOAD_TIMEOUT_S)
        except OSError as fault:
            self._end()
            raise WorkerLost(self.name, process.ending()) from fault
        return process

    def _end(self) -> None:
        process, self._process, self._loaded = self._process, None, False
        if process is not None:
            process.kill()

    def _exchange(self, message: Message | None, timeout_s: float) -> Message:
        process = self._process or self._start()
        deadline = time.monotonic() + timeout_s
        try:
            if message is not None:
                send(process.channel, message, deadline=deadline)
            return receive(process.channel, deadline=deadline)
        except TimeoutError as fault:
            raise self._replaced(process, TimedOut(self.name, timeout_s)) from fault
        except (EOFError, OSError, BrokenFrame) as fault:
            raise self._replaced(process, WorkerLost(self.name, process.ending())) from fault

    def _replaced(self, process: "_Process", fault: WorkerLost) -> WorkerLost:
        """The fault, after its process was killed and (had it loaded once) a fresh one was started."""
        had_loaded = self._loaded
        self._end()
        log.error("model.lost", model=self.name, how=fault.how, output=list(process.tail))
        if had_loaded and not self._closed:
            self._start()
        return fault


class _Process:
    """A started child, its end of the channel, and the last lines it printed."""

    def __init__(self, threads: int) -> None:
        self.channel, theirs = socket.socketpair()
        self._scratch = ExitStack()
        """Its temporary files, which go when it has ended."""
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._popen: subprocess.Popen[str] | None = None
        self._fault: OSError | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(theirs, threads), daemon=True, name="model-output")
        self._thread.start()
        self._started.wait()
        theirs.close()
        if self._fault is not None:
            raise self._fault

    @property
    def pid(self) -> int:
        """Process id."""
        return self._open().pid

    def kill(self) -> None:
        """End it at once and close the channel."""
        self._open().kill()
        self._open().wait()
        self.channel.close()
        self.tidy()
        self._thread.join(timeout=5)

    def tidy(self) -> None:
        """Remove its temporary files."""
        self._scratch.close()

    def ending(self) -> str:
        """How it ended, in words; ended now, where it lives and only the channel broke."""
        try:
            code = self._open().wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "broke the protocol"
        if code >= 0:
            return f"ended with exit code {code}"
        hint = " (mostly: the machine ran out of memory, `journalctl -k` tells)" if code == -signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{hint}"

    def _run(self, theirs: socket.socket, threads: int) -> None:
        """Start the child and read what it prints, to its end.

        One thread does both: Linux sends the child its parent-death signal (prctl(2)) when the
        *thread* that started it ends.
        """
        command = [sys.executable, "-P", "-m", "dicomnode.infer.child", str(theirs.fileno()), str(os.getpid())]
        try:
            environment = child_environment(threads, self._scratch.enter_context(scratch_folder()))
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", pass_fds=(theirs.fileno(),), env=environment,
                process_group=0,  # Ctrl-C is for the node, which ends its processes itself
            )  # fmt: skip
        except OSError as fault:
            self._fault = fault
            self._scratch.close()
            return
        finally:
            self._started.set()
        output = self._popen.stdout
        assert output is not None
        with output:
            for line in output:
                self.tail.append(line.rstrip()[:500])

    def _open(self) -> "subprocess.Popen[str]":
        assert self._popen is not None
        return self._popen


def child_environment(threads: int, scratch: Path) -> dict[str, str]:
    """What a bundle may see of our environment: no secret of the node.

    Threads that wait do not spin: on a machine that also receives, spinning ones made a forward three times slower.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ENVIRONMENT or name.startswith(ENVIRONMENT_PREFIXES)
    }
    limits = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    ours = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "TMPDIR": str(scratch)}
    return {"OMP_WAIT_POLICY": "PASSIVE"} | kept | limits | ours
