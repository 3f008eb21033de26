"""A caller that writes its PDUs by hand, so that it can misbehave (PS3.8 9.3)."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from pydicom import Dataset
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF

from tests.integration.receive.loopback import data_set

RELEASE = struct.pack(">BBII", 5, 0, 4, 0)
ABORT = struct.pack(">BBIBBBB", 7, 0, 4, 0, 0, 0, 0)
CONTEXT_ID = 1


@contextmanager
def raw_association(port: int) -> Iterator[socket.socket]:
    """An established association for CT storage in explicit VR little endian."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
        caller.sendall(associate_request())
        assert receive_pdu(caller)[:1] == b"\x02"
        yield caller


def store_pdus(image: Dataset, pdu_bytes: int = 16382) -> list[bytes]:
    """A C-STORE request and its data set as P-DATA-TF PDUs."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    request.DataSet = BytesIO(data_set(image))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return [P_DATA_TF(part).encode() for part in message.encode_msg(CONTEXT_ID, pdu_bytes)]


def associate_request() -> bytes:
    """A-ASSOCIATE-RQ that proposes CT storage, by hand."""

    def item(kind: int, body: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(body)) + body

    context = b"\x01\0\0\0" + item(0x30, b"1.2.840.10008.5.1.4.1.1.2") + item(0x40, b"1.2.840.10008.1.2.1")
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")
    body = struct.pack(">HH", 1, 0) + b"DICOMNODE".ljust(16) + b"MANY".ljust(16) + b"\0" * 32
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
    return struct.pack(">BBI", 1, 0, len(body)) + body


def receive_pdu(raw: socket.socket) -> bytes:
    """One PDU, or what came of it before the end."""
    try:
        head = raw.recv(6, socket.MSG_WAITALL)
        return head + raw.recv(struct.unpack(">I", head[2:])[0], socket.MSG_WAITALL) if len(head) == 6 else b""
    except OSError:
        return b""
