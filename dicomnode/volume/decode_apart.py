"""The process that decodes compressed pixels: started by `decoder.Decoder`, one image after the other.

Decoders are C, C++ and Rust code fed with bytes from outside: broken ones abort the process, or never return. Here
that ends this process alone. A request is one line of JSON on standard input; an answer is, for each frame, the length
of a JSON header (4 bytes, big endian), the header, and the array's bytes in C order.
"""

import json
import os
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dicomnode.volume.decode import UNDECODABLE, Request, decoded, words

LENGTH = struct.Struct("!I")
FRAME_S = 60
"""A frame that takes longer ends the process (SIGALRM)."""
MEMORY_BYTES = 16 << 30
"""Address space of the process."""


def main() -> None:
    """Answer requests until standard input ends."""
    limit_memory()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a decoder prints is no answer
        for line in sys.stdin.buffer:
            answer(Request(**json.loads(line)), answers)


def limit_memory() -> None:
    """Take no more address space than is given, or than may be had already."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(most, MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def answer(request: Request, answers: BinaryIO) -> None:
    """Write every frame of one image, then "end"; or "fault" with the reason."""
    signal.alarm(FRAME_S)
    try:
        for frame in decoded(request):
            signal.alarm(0)
            write(answers, {"kind": "frame", "dtype": frame.dtype.str, "shape": frame.shape}, frame)
            signal.alarm(FRAME_S)
    except UNDECODABLE as fault:
        write(answers, {"kind": "fault", "words": words(fault)})
    else:
        write(answers, {"kind": "end"})
    finally:
        signal.alarm(0)


def write(answers: BinaryIO, header: dict[str, Any], frame: NDArray[Any] | None = None) -> None:
    """One message, with an array's bytes behind it."""
    encoded = json.dumps(header).encode()
    answers.write(LENGTH.pack(len(encoded)) + encoded)
    if frame is not None:
        answers.write(np.ascontiguousarray(frame).tobytes())
    answers.flush()


if __name__ == "__main__":
    main()
