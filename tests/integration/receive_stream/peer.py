"""A receiver under test, and a peer that speaks to it byte by byte."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import CTImageStorage, Verification
from sqlalchemy import select

from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, RefusalRow
from dicomnode.receive.scp import Receiver
from tests.phantom import encoded
from tests.unit.receive_stream.wire import pdu


@dataclass(frozen=True)
class Listening:
    """A receiver and what reached it."""

    receiver: Receiver
    index: Index
    state: Path

    @property
    def port(self) -> int:
        return self.receiver.port

    def rows(self) -> list[InstanceRow]:
        with self.index.transaction() as session:
            return list(session.scalars(select(InstanceRow)).all())

    def uids(self) -> set[str]:
        return {row.sop_instance_uid for row in self.rows()}

    def reasons(self) -> list[str]:
        with self.index.transaction() as session:
            return [row.reason for row in session.scalars(select(RefusalRow)).all()]

    def data_set(self, uid: str) -> bytes:
        """The data set of an instance as it lies on disk, without file meta information."""
        (row,) = (row for row in self.rows() if row.sop_instance_uid == uid)
        return without_meta((self.state / row.file).read_bytes())

    def temporary_files(self) -> list[Path]:
        return list((self.state / "incoming").iterdir())


def without_meta(raw: bytes) -> bytes:
    """A Part 10 file's data set."""
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


def data_set(image: Dataset) -> bytes:
    """The data set as `encoded` writes it."""
    return without_meta(encoded(image))


Listen = Callable[..., Listening]


@contextmanager
def raw_association(port: int, called_ae: str = "DICOMNODE") -> Iterator[socket.socket]:
    """A connection on which CT (1) and Verification (3) are accepted."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(associate_rq(called_ae))
        assert read_pdu(peer)[0] == 2
        yield peer


def associate_rq(called_ae: str) -> bytes:
    """An A-ASSOCIATE-RQ PDU for CT Image Storage (1) and Verification (3), explicit VR little endian."""
    contexts = [(1, CTImageStorage), (3, Verification)]
    items = _item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, uid in contexts:
        syntaxes = _item(0x30, uid.encode()) + _item(0x40, ExplicitVRLittleEndian.encode())
        items += _item(0x20, bytes([number, 0, 0, 0]) + syntaxes)
    items += _item(0x50, _item(0x51, struct.pack(">I", 1 << 20)) + _item(0x52, b"1.2.3.4"))
    body = struct.pack(">HH16s16s32x", 1, 0, called_ae.encode().ljust(16), b"SENDER".ljust(16)) + items
    return pdu([body], kind=1)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def read_pdu(peer: socket.socket) -> tuple[int, bytes]:
    """Type and body of the next PDU."""
    kind, _, length = struct.unpack(">BBI", _exactly(peer, 6))
    return kind, _exactly(peer, length)


def status(peer: socket.socket) -> int:
    """Status of the response that comes next."""
    kind, body = read_pdu(peer)
    assert kind == 4
    at = body.index(struct.pack("<HHI", 0, 0x0900, 2)) + 8
    return int.from_bytes(body[at : at + 2], "little")


def ends(peer: socket.socket) -> bool:
    """Whether the other side closes, with or without an abort."""
    try:
        while peer.recv(1000):
            pass
    except ConnectionError:
        return True
    return True


def _exactly(peer: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = peer.recv(count - len(found))
        assert part, "the node closed the connection"
        found += part
    return found
