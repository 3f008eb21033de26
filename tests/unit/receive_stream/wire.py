"""Stand-ins for a socket and an archive, and a sender that writes its PDUs by hand."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dicomnode.receive.pdv import Command

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
RELEASE = struct.pack(">BBII", 5, 0, 4, 0)


class Sender:
    """A connected socket whose peer has written everything in advance; it arrives in the given pieces."""

    def __init__(self, stream: bytes, pieces: Sequence[int] = (), *, stays: bool = False) -> None:
        self._stream = memoryview(stream)
        self._pieces: Iterator[int] = iter(pieces)
        self._stays = stays
        self.answers = b""

    def recv_into(self, buffer: memoryview, /) -> int:
        if not self._stream and self._stays:
            raise TimeoutError("timed out")
        count = min(len(buffer), len(self._stream), next(self._pieces, len(buffer)))
        buffer[:count] = self._stream[:count]
        self._stream = self._stream[count:]
        return count

    def sendall(self, data: bytes, /) -> None:
        self.answers += data

    def settimeout(self, value: float | None, /) -> None:
        pass

    def setsockopt(self, level: int, optname: int, value: int, /) -> None:
        pass

    def shutdown(self, how: int, /) -> None:
        pass


@dataclass
class Kept:
    """One instance as it reached the archive."""

    command: Command
    transfer_syntax_uid: str
    data: bytearray = field(default_factory=bytearray)
    end: str = ""
    comment: str = ""
    status: int = 0

    def write(self, part: memoryview, /) -> None:
        self.data += part

    def keep(self) -> int:
        self.end = "kept"
        return self.status

    def abandon(self) -> None:
        self.end = "abandoned"


class Shelf:
    """An archive that keeps instances in memory and answers one status."""

    def __init__(self, status: int = 0, comment: str = "") -> None:
        self.status, self.comment = status, comment
        self.instances: list[Kept] = []

    def begin(self, command: Command, transfer_syntax_uid: str) -> Kept:
        self.instances.append(Kept(command, transfer_syntax_uid, status=self.status, comment=self.comment))
        return self.instances[-1]

    def kept(self) -> list[tuple[str, bytes]]:
        return [(i.command.sop_instance_uid, bytes(i.data)) for i in self.instances if i.end == "kept"]


def command_set(command_field: int, message_id: int, *, sop_class: str, instance: str = "", data: bool = True) -> bytes:
    """A request's command set, implicit VR little endian."""
    elements = [
        (0x0002, _uid(sop_class)),
        (0x0100, struct.pack("<H", command_field)),
        (0x0110, struct.pack("<H", message_id)),
        (0x0700, struct.pack("<H", 0)),
        (0x0800, struct.pack("<H", 0x0000 if data else 0x0101)),
        (0x1000, _uid(instance)),
    ]
    body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements if value)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def store(instance: str, data: bytes, *, context: int = 1, message: int = 1, most: int = 1 << 20) -> list[bytes]:
    """The PDVs of one C-STORE request."""
    command = command_set(1, message, sop_class=CT, instance=instance)
    return [*pdvs(command, context=context, is_command=True, most=most), *pdvs(data, context=context, most=most)]


def echo(*, context: int = 3, message: int = 1) -> list[bytes]:
    """The PDV of one C-ECHO request."""
    return pdvs(command_set(0x30, message, sop_class=VERIFICATION, data=False), context=context, is_command=True)


def pdvs(encoded: bytes, *, context: int = 1, is_command: bool = False, most: int = 1 << 20) -> list[bytes]:
    """One message part, cut into fragments of at most `most` bytes."""
    parts = [encoded[at : at + most] for at in range(0, len(encoded), most)] or [b""]
    return [
        struct.pack(">IBB", len(part) + 2, context, int(is_command) | (2 if n == len(parts) else 0)) + part
        for n, part in enumerate(parts, 1)
    ]


def pdu(values: Iterable[bytes], kind: int = 4) -> bytes:
    """One PDU of these PDVs."""
    body = b"".join(values)
    return struct.pack(">BBI", kind, 0, len(body)) + body


def _uid(value: str) -> bytes:
    return value.encode() + b"\0" * (len(value) % 2)
