"""P-DATA on the wire: PDUs, the fragments in them, the command sets they carry (PS3.8 9.3, PS3.7 6.3 and E)."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from dicomnode.errors import NotDicom

P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 4, 5, 6, 7
C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
RESPONSE, NO_DATA_SET = 0x8000, 0x0101

SOP_CLASS, COMMAND, MESSAGE_ID, ANSWERED_ID, DATA_SET_TYPE, STATUS, ERROR_COMMENT, SOP_INSTANCE = (
    *(0x0002, 0x0100, 0x0110, 0x0120, 0x0800, 0x0900, 0x0902, 0x1000),
)
"""Elements of group 0000 (PS3.7 E.1)."""

MOST_COMMAND_BYTES = 1 << 16
HEAD_BYTES = 6
"""Before the body of each PDU: type, a reserved byte, length."""
BUFFERED_PDUS = 2
"""The buffer has room for so many of the largest."""
DRAIN_S, MOST_DRAINED_READS = 1.0, 1000


class ProtocolFault(NotDicom):
    """A peer broke the upper layer protocol; the association is aborted."""

    UNRECOGNIZED, UNEXPECTED, INVALID = 1, 2, 6

    def __init__(self, what: str, provider_reason: int = INVALID) -> None:
        super().__init__(what)
        self.provider_reason = provider_reason
        """Reason of the A-ABORT (PS3.8 Table 9-26)."""


@dataclass(frozen=True)
class Fragment:
    """One presentation data value (PS3.8 9.3.5.1, E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


@dataclass(frozen=True)
class Command:
    """A command set, as far as a storage SCP needs it."""

    field: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_data_set: bool


class Connection(Protocol):
    """What is used of a connected socket, plain or TLS."""

    def recv_into(self, buffer: memoryview, /) -> int: ...  # noqa: D102
    def sendall(self, data: bytes, /) -> None: ...  # noqa: D102
    def settimeout(self, value: float | None, /) -> None: ...  # noqa: D102
    def setsockopt(self, level: int, optname: int, value: int, /) -> None: ...  # noqa: D102
    def shutdown(self, how: int, /) -> None: ...  # noqa: D102


class Wire:
    """One connection, read PDU by PDU out of one buffer that is filled with as much as has come."""

    def __init__(self, connection: Connection, *, max_pdu_bytes: int, idle_s: float) -> None:
        self._connection = connection
        self._max_pdu_bytes = max_pdu_bytes
        self._buffer = memoryview(bytearray(BUFFERED_PDUS * (HEAD_BYTES + max_pdu_bytes)))
        self._at = self._end = 0
        """What has come and is not taken."""
        self._idle_s = idle_s
        connection.settimeout(idle_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def next_pdu(self) -> tuple[int, memoryview]:
        """Type and body of the next PDU; the body holds until the next call.

        Raises:
            ConnectionError: the peer closed.
            TimeoutError: nothing came, or a PDU was not complete, within the idle time.
            ProtocolFault: the PDU is longer than we allow.
        """
        kind, _, length = struct.unpack(">BBI", self._take(HEAD_BYTES))
        if not P_DATA <= kind <= ABORT:
            raise ProtocolFault(f"PDU of type {kind} within an association", ProtocolFault.UNRECOGNIZED)
        if length > self._max_pdu_bytes:
            raise ProtocolFault(f"PDU of {length} bytes, more than the negotiated {self._max_pdu_bytes}")
        return kind, self._take(length)

    def send(self, pdu: bytes) -> None:
        """Send one encoded PDU."""
        self._connection.sendall(pdu)

    def drain(self) -> None:
        """Discard what still comes until the peer closes, so that our last PDU is not lost to a reset."""
        self._connection.settimeout(DRAIN_S)
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            for _ in range(MOST_DRAINED_READS):
                if not self._connection.recv_into(self._buffer):
                    return

    def _take(self, count: int) -> memoryview:
        """The next bytes; they hold until the next call."""
        if self._at == self._end or self._at + count > len(self._buffer):
            rest = self._end - self._at
            self._buffer[:rest] = self._buffer[self._at : self._end]
            self._at, self._end = 0, rest
        latest_s = time.monotonic() + self._idle_s if self._end > self._at else 0.0
        while self._end - self._at < count:
            if latest_s and time.monotonic() > latest_s:
                raise TimeoutError("a PDU came too slowly")
            self._end += self._read()
            latest_s = latest_s or time.monotonic() + self._idle_s
        view = self._buffer[self._at : self._at + count]
        self._at += count
        return view

    def _read(self) -> int:
        """Read what has come; acknowledged at once, or a sender with Nagle on waits 40 ms (RFC 1122 4.2.3)."""
        read = self._connection.recv_into(self._buffer[self._end :])
        if not read:
            raise ConnectionError("the peer closed the connection")
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return read


def fragments(body: memoryview) -> Iterator[Fragment]:
    """The presentation data values of one P-DATA-TF PDU (PS3.8 9.3.5).

    Raises:
        ProtocolFault: a length does not fit the PDU.
    """
    at = 0
    while at < len(body):
        if len(body) - at < 6:
            raise ProtocolFault("a presentation data value is cut short")
        length, context_id, control = struct.unpack_from(">IBB", body, at)
        end = at + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolFault(f"a presentation data value of {length} bytes does not fit its PDU")
        yield Fragment(context_id, bool(control & 1), bool(control & 2), body[at + 6 : end])
        at = end


def command(encoded: bytes) -> Command:
    """A command set, decoded (implicit VR little endian, PS3.7 6.3.1).

    Raises:
        ProtocolFault: it is cut short, or Command Field or Message ID are missing.
    """
    elements = _elements(encoded)
    return Command(
        field=_number(elements, COMMAND),
        message_id=0 if MESSAGE_ID not in elements else _number(elements, MESSAGE_ID),
        sop_class_uid=_uid(elements, SOP_CLASS),
        sop_instance_uid=_uid(elements, SOP_INSTANCE),
        has_data_set=_number(elements, DATA_SET_TYPE) != NO_DATA_SET,
    )


def response(to: Command, context_id: int, status: int, comment: str = "") -> bytes:
    """The encoded P-DATA-TF PDU that answers a C-STORE or C-ECHO request (PS3.7 9.3.1.2, 9.3.5.2)."""
    elements: list[tuple[int, bytes]] = [
        (SOP_CLASS, _even(to.sop_class_uid, "\0")),
        (COMMAND, struct.pack("<H", to.field | RESPONSE)),
        (ANSWERED_ID, struct.pack("<H", to.message_id)),
        (DATA_SET_TYPE, struct.pack("<H", NO_DATA_SET)),
        (STATUS, struct.pack("<H", status)),
        (ERROR_COMMENT, _even(comment[:64], " ")),
        (SOP_INSTANCE, _even(to.sop_instance_uid, "\0")),
    ]
    body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements if value)
    encoded = struct.pack("<HHII", 0, 0, 4, len(body)) + body
    return struct.pack(">BBIIBB", P_DATA, 0, len(encoded) + 6, len(encoded) + 2, context_id, 3) + encoded


def release_response() -> bytes:
    """An A-RELEASE-RP PDU (PS3.8 9.3.7)."""
    return struct.pack(">BBII", RELEASE_RP, 0, 4, 0)


def abort(provider_reason: int | None) -> bytes:
    """An A-ABORT PDU: by the provider for a reason, or by the user for none (PS3.8 9.3.8)."""
    source = 0 if provider_reason is None else 2
    return struct.pack(">BBIBBBB", ABORT, 0, 4, 0, 0, source, provider_reason or 0)


def _elements(encoded: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(encoded):
        if len(encoded) - at < 8:
            raise ProtocolFault("a command set is cut short")
        group, element, length = struct.unpack_from("<HHI", encoded, at)
        end = at + 8 + length
        if group != 0 or end > len(encoded):
            raise ProtocolFault(f"element ({group:04X},{element:04X}) does not fit its command set")
        found[element] = encoded[at + 8 : end]
        at = end
    return found


def _number(elements: dict[int, bytes], tag: int) -> int:
    value = elements.get(tag, b"")
    if len(value) != 2:
        raise ProtocolFault(f"a command set without (0000,{tag:04X})")
    return int.from_bytes(value, "little")


def _uid(elements: dict[int, bytes], tag: int) -> str:
    return elements.get(tag, b"").decode("ascii", "replace").rstrip("\0 ")


def _even(text: str, pad: str) -> bytes:
    return (text if len(text) % 2 == 0 else text + pad).encode("ascii", "replace")
