"""The application entity that opens our associations."""

from ssl import SSLContext
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicomnode.peers.answers import keep_answers


class CallerSocket(AssociationSocket):  # type: ignore[misc]
    """A socket that is closed also where the connection failed; pynetdicom leaves that to the garbage collector."""

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        if self.socket is not None:
            self.socket.close()


class Caller(AE):  # type: ignore[misc]
    """An application entity whose associations use a `CallerSocket`, and whose answers reach who asked."""

    def associate(self, *args: Any, **settings: Any) -> Association:  # noqa: ANN401 - those of pynetdicom
        """Request an association; look at `is_established` for the answer."""
        return keep_answers(super().associate(*args, **settings))

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> CallerSocket:
        made = CallerSocket(assoc, address=address)
        made.tls_args = tls_args
        return made
