"""Decodes stored images: uncompressed ones here, compressed ones in a process that may crash or hang alone."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from dicomnode.volume.decode import Request, decoded
from dicomnode.volume.decode_apart import FRAME_S, LENGTH

ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "TMPDIR")
"""What the process sees of ours: no secret of the node."""
END_S = 5.0
"""A process that does not end by itself in this time is killed."""


class DecoderFault(RuntimeError):
    """The process that decodes could not, or is gone."""


class Decoder:
    """Open while a series is read; its process is started for the first compressed image."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of its process, where it has one."""
        return self._process.pid if self._process else None

    def frames(self, request: Request, *, compressed: bool) -> Iterator[NDArray[Any]]:
        """Frames of one image, in stored order.

        Raises:
            DecoderFault: the process could not decode them, crashed, or took too long over one.
            Exception: one of `decode.UNDECODABLE`, for an uncompressed image.
        """
        return self._apart(request) if compressed else decoded(request)

    def close(self) -> None:
        """End the process, by force if need be."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            _pipe(process.stdin).close()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def _apart(self, request: Request) -> Iterator[NDArray[Any]]:
        process = self._running()
        in_step = False
        try:
            _pipe(process.stdin).write(json.dumps(asdict(request)).encode() + b"\n")
            _pipe(process.stdin).flush()
            while frame := _frame(_pipe(process.stdout)):
                yield from frame
            in_step = True
        except DecoderFault:
            in_step = True
            raise
        except (BrokenPipeError, EOFError) as fault:
            raise DecoderFault(self._ending()) from fault
        finally:
            if not in_step:
                self._abandon()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died while nobody asked
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dicomnode.volume.decode_apart"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                process_group=0,  # Ctrl-C is for the node, which ends its processes itself
            )  # fmt: skip
        return self._process

    def _ending(self) -> str:
        """How the process ended, in words."""
        assert self._process is not None
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return "the decoder closed its answers without an end"
        if code == -signal.SIGALRM:
            return f"the decoder gave no frame in {FRAME_S} s"
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the decoder {how}"

    def _abandon(self) -> None:
        """Kill a process whose answer is not wanted any more."""
        if self._process is not None:
            self._process.kill()
        self.close()


def _frame(answers: IO[bytes]) -> list[NDArray[Any]]:
    """The next frame as the only item, or nothing at the end of the image.

    Raises:
        DecoderFault: the process says why it could not decode.
        EOFError: it is gone.
    """
    header = json.loads(_exactly(answers, LENGTH.unpack(_exactly(answers, LENGTH.size))[0]))
    if header["kind"] == "end":
        return []
    if header["kind"] == "fault":
        raise DecoderFault(header["words"])
    dtype, shape = np.dtype(header["dtype"]), tuple(header["shape"])
    raw = _exactly(answers, math.prod(shape) * dtype.itemsize)
    return [np.frombuffer(raw, dtype).reshape(shape)]


def _exactly(answers: IO[bytes], size: int) -> bytes:
    read = answers.read(size)
    if len(read) < size:
        raise EOFError(f"{len(read)} of {size} bytes")
    return read


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
