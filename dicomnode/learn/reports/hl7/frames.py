"""Messages out of a byte stream: VT, the message, FS, CR. What stands outside of a frame is skipped and counted.

Source: HL7 v2 Transport Specification, Minimal Lower Layer Protocol (MLLP), release 1.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

START, END = b"\x0b", b"\x1c\x0d"
CHUNK = 65_536
HEAD = 4096
"""Bytes of an oversized message that are kept, so that its sender can be told which one it was."""


class Reader(Protocol):
    """Where bytes come from; `asyncio.StreamReader` is one."""

    async def read(self, n: int) -> bytes:
        """Up to n bytes; none at the end."""


@dataclass(frozen=True)
class Frame:
    """One message as it came."""

    message: bytes
    """Only its beginning, where it was too large."""
    oversized: bool = False
    stray: int = 0
    """Bytes that stood before it in no frame."""
    half: bool = False
    """The stream ended, or a new message began, before it did."""


async def frames(reader: Reader, max_bytes: int) -> AsyncIterator[Frame]:
    """The messages of a stream, each once it is whole; the last one may be a half."""
    stray, buffer = 0, b""
    while True:
        begin = buffer.find(START)
        if begin < 0:
            stray += len(buffer)
            buffer = await reader.read(CHUNK)
            if not buffer:
                return
            continue
        frame, buffer = await _rest(reader, buffer[begin + 1 :], max_bytes, stray + begin)
        stray = 0
        yield frame


async def _rest(reader: Reader, given: bytes, max_bytes: int, stray: int) -> tuple[Frame, bytes]:
    """The frame whose start has been read, and what follows it."""
    message, oversized = bytearray(given), False
    looked = 0
    while True:
        end, again = message.find(END, looked), message.find(START, looked)
        if again >= 0 and (end < 0 or again < end):
            return Frame(bytes(message[:again][:HEAD]), oversized, stray, half=True), bytes(message[again:])
        if end >= 0:
            oversized = oversized or end > max_bytes
            whole = bytes(message[: HEAD if oversized else end])
            return Frame(whole, oversized, stray), bytes(message[end + len(END) :])
        if len(message) > max_bytes:
            oversized = True
            del message[HEAD:-1]  # the end may stand across two reads
        looked = max(0, len(message) - 1)
        chunk = await reader.read(CHUNK)
        if not chunk:
            return Frame(bytes(message[:HEAD]), oversized, stray, half=True), b""
        message += chunk
