"""Messages between the node and the process of a model: a JSON header, then raw array bytes.

Nothing that is received is unpickled or evaluated. A frame is the header's length (4 bytes, big
endian), the header, and the bytes of each array that the header names, C order, native endian.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 36
DTYPES = ("float16", "float32", "float64", "uint8")
LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class Message:
    """One request or answer."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """JSON values."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class BrokenFrame(ValueError):
    """Bytes that are no frame, or one larger than any frame may be."""


def send(channel: socket.socket, message: Message, *, deadline: float | None = None) -> None:
    """Write one frame.

    Raises:
        TimeoutError: not written by `deadline` (monotonic seconds).
        OSError: the other end is gone.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in message.arrays.items()}
    described = [{"name": name, "dtype": str(a.dtype), "shape": a.shape} for name, a in arrays.items()]
    header = json.dumps({"kind": message.kind, "fields": message.fields, "arrays": described}).encode()
    if len(header) > MAX_HEADER_BYTES:
        raise BrokenFrame(f"header of {len(header)} bytes")
    parts: list[bytes | memoryview] = [LENGTH.pack(len(header)) + header, *map(_bytes, arrays.values())]
    for part in parts:
        channel.settimeout(_left_s(deadline))
        channel.sendall(part)


def receive(channel: socket.socket, *, deadline: float | None = None) -> Message:
    """Read one frame.

    Raises:
        TimeoutError: not complete by `deadline` (monotonic seconds).
        EOFError: the other end is gone.
        BrokenFrame: not a frame.
    """
    (length,) = LENGTH.unpack(_exactly(channel, LENGTH.size, deadline))
    if length > MAX_HEADER_BYTES:
        raise BrokenFrame(f"header of {length} bytes")
    try:
        header = json.loads(_exactly(channel, length, deadline))
        described = [(d["name"], _empty(d["dtype"], d["shape"])) for d in header["arrays"]]
        message = Message(header["kind"], header["fields"], dict(described))
    except (KeyError, TypeError, json.JSONDecodeError) as fault:
        raise BrokenFrame(f"no header: {fault}") from fault
    for _, array in described:
        _fill(channel, _bytes(array), deadline)
    return message


def _empty(dtype: str, shape: list[int]) -> NDArray[Any]:
    if dtype not in DTYPES or any(not isinstance(size, int) or size < 0 for size in shape):
        raise BrokenFrame(f"array of {dtype} {shape}")
    if math.prod(shape) * np.dtype(dtype).itemsize > MAX_ARRAY_BYTES:
        raise BrokenFrame(f"array of {shape} is larger than any may be")
    return np.empty(shape, dtype)


def _bytes(array: NDArray[Any]) -> memoryview:
    """The memory of a C-contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def _exactly(channel: socket.socket, count: int, deadline: float | None) -> bytes:
    buffer = bytearray(count)
    _fill(channel, memoryview(buffer), deadline)
    return bytes(buffer)


def _fill(channel: socket.socket, room: memoryview, deadline: float | None) -> None:
    while room:
        channel.settimeout(_left_s(deadline))
        count = channel.recv_into(room)
        if count == 0:
            raise EOFError("the other end closed")
        room = room[count:]


def _left_s(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("deadline passed")
    return left_s
