"""pynetdicom's association server with a shared port, quick sockets, and TLS that no single caller can hold up."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from dicomnode.config.tables import Receive
from dicomnode.receive.sockets import quick
from dicomnode.receive.streaming import Begin, StreamingDimse
from dicomnode.receive.watch import Watch


class SharedContexts(list[Any]):
    """The presentation contexts we support, shared by all associations, which never change them."""

    def __deepcopy__(self, _: dict[int, object]) -> "SharedContexts":
        return self


LARGEST_REQUEST = 1 << 20
"""An association request has no agreed length; one with every context there is has 100 kB."""


@dataclass(frozen=True)
class Door:
    """What the server needs to let callers in."""

    settings: Receive
    watch: Watch
    begin: Begin
    tls: ssl.SSLContext | None


class Handler(RequestHandler):  # type: ignore[misc]
    """Makes an association of a connection."""

    def _create_association(self) -> Association:
        association, door = super()._create_association(), self.server.door
        association.dimse = StreamingDimse(association, door.begin)
        wrapped = association.dul.socket
        wrapped.recv = bounded(wrapped.recv, max(door.settings.max_pdu_bytes, LARGEST_REQUEST))
        door.watch.opened(association)
        return association


class Server(ThreadedAssociationServer):  # type: ignore[misc]
    """Listens on the port; give it its `door` before it serves."""

    request_queue_size = 256
    daemon_threads = True
    door: Door
    contexts: SharedContexts

    def server_bind(self) -> None:
        """Bind, so that other receiver processes may bind the same port."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept; the TLS handshake waits for the connection's own thread."""
        connection, address = self.socket.accept()
        return quick(connection, self.door.settings.idle_timeout_s), address

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        """Negotiate TLS where it is on, and start the association; in the connection's own thread."""
        if not self.door.watch.has_space():
            self.door.watch.refused(client_address[0], "too many connections")
            self.shutdown_request(request)
            return
        secured = self._secured(request, client_address) if self.door.tls else request
        if secured is not None:
            super().finish_request(secured, client_address)

    def _secured(self, request: socket.socket, client_address: tuple[str, int]) -> socket.socket | None:
        assert self.door.tls is not None
        secured = self.door.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        try:
            with self.door.watch.handshake(secured):
                secured.do_handshake()
        except (OSError, ssl.SSLError) as fault:
            self.door.watch.refused(client_address[0], f"no TLS association: {fault}")
            self.shutdown_request(secured)
            return None
        return secured


def bounded(read: Callable[[int], bytearray], limit_bytes: int) -> Callable[[int], bytearray]:
    """A reader that refuses a PDU longer than agreed, where pynetdicom would take it into memory whole."""

    def recv(length: int) -> bytearray:
        if length > limit_bytes:
            raise ConnectionError(f"a PDU of {length} bytes is longer than agreed")
        return read(length)

    return recv
