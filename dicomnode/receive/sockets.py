"""Sockets that acknowledge at once and are closed whoever cuts the connection, and TLS for them.

A sender with Nagle's algorithm on (DCMTK and Orthanc as installed) holds back the end of each message until we
acknowledge what came before; delayed acknowledgement makes it wait 40 ms an instance. TCP_QUICKACK is not
sticky, so it is set again after each read.

pynetdicom closes a socket only where it could shut it down, which fails for one that the caller has cut (a TCP check
by a load balancer does); the garbage collector would have to close it.
"""

import socket
import ssl
from contextlib import suppress

from dicomnode.config.tables import Tls
from dicomnode.errors import ConfigFault


class QuickSocket(socket.socket):
    """A connection that acknowledges each read at once and sends without delay."""

    def recv(self, length: int = 4096, flags: int = 0, /) -> bytes:
        """As `socket.recv`."""
        data = super().recv(length, flags)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data

    def shutdown(self, how: int, /) -> None:
        """As `socket.shutdown`, of a connection that may be gone already."""
        with suppress(OSError):
            super().shutdown(how)


class QuickSslSocket(QuickSocket, ssl.SSLSocket):
    """The same over TLS."""


def quick(connection: socket.socket, timeout_s: float) -> QuickSocket:
    """Take over an accepted connection."""
    taken = QuickSocket(fileno=connection.detach())
    taken.settimeout(timeout_s)
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return taken


def server_context(tls: Tls) -> ssl.SSLContext:
    """Mutual TLS, 1.2 or later (PS3.15 B.12): a caller without a certificate of our authorities gets no association.

    Raises:
        ConfigFault: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.sslsocket_class = QuickSslSocket
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        context.load_verify_locations(tls.authorities)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigFault(f"[receive.tls] cannot be used: {fault}") from fault
    return context
