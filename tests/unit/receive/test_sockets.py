"""Accepted connections that end in every way."""

import select
import socket
import ssl
import struct
from collections.abc import Callable

import pytest
from pynetdicom import AE
from pynetdicom.association import MODE_ACCEPTOR, Association
from pynetdicom.transport import AssociationSocket

from dicomnode.receive.sockets import QuickSslSocket, quick

CUT = struct.pack("ii", 1, 0)
"""Linger not at all: the connection is reset."""


def plain(accepted: socket.socket) -> socket.socket:
    return quick(accepted, 30.0)


def over_tls(accepted: socket.socket) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = QuickSslSocket
    return context.wrap_socket(quick(accepted, 30.0), server_side=True, do_handshake_on_connect=False)


@pytest.mark.parametrize("taken", [plain, over_tls])
def test_a_connection_that_the_caller_has_cut_is_closed_at_once(
    taken: Callable[[socket.socket], socket.socket],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        connection = taken(listener.accept()[0])
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT)
        caller.close()
        assert select.select([connection], [], [], 30.0)[0]

    AssociationSocket(Association(AE(), MODE_ACCEPTOR), client_socket=connection).close()

    assert connection.fileno() == -1
