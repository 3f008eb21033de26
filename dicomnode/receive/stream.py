"""One association's P-DATA, read by one plain loop straight into the archive (PS3.7 9.1.1, PS3.8 9.3.5)."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from threading import Event
from typing import Protocol

from dicomnode.receive import pdv
from dicomnode.receive.pdv import Command, Fragment, ProtocolFault, Wire

SUCCESS = 0x0000


class Incoming(Protocol):
    """An instance on its way to the archive."""

    comment: str
    """Why `keep` refused it."""

    def write(self, part: memoryview, /) -> None:
        """Take the next bytes of the data set; they are not valid afterwards."""

    def keep(self) -> int:
        """The DIMSE status to answer with; Success only when the instance is durable and indexed."""

    def abandon(self) -> None:
        """Forget what was written: the rest will not come."""


Begin = Callable[[Command, str], Incoming]
"""Opens the archive for the data set that follows a C-STORE request, in a transfer syntax."""


class Ending(Enum):
    """How an association ended."""

    RELEASED = "released"
    ABORTED_BY_PEER = "aborted by the peer"
    ABORTED_BY_US = "aborted by us"
    LOST = "connection lost"


@dataclass
class _Store:
    """A C-STORE request whose data set is arriving."""

    command: Command
    context_id: int
    incoming: Incoming


class Stream:
    """An established association of storage and verification contexts."""

    def __init__(self, wire: Wire, transfer_syntaxes: Mapping[int, str], begin: Begin, stopping: Event) -> None:
        self._wire = wire
        self._transfer_syntaxes = transfer_syntaxes
        """By the id of each accepted presentation context."""
        self._begin = begin
        self._command = bytearray()
        self._command_context: int | None = None
        self._store: _Store | None = None
        self._stopping = stopping
        """Set from another thread: abort before the next PDU; what was answered stays kept."""
        self.fault = ""
        """What the peer did wrong; empty while nothing."""

    def run(self) -> Ending:
        """Serve the association to its end."""
        try:
            return self._serve()
        except ProtocolFault as fault:
            self.fault = str(fault)
            return self._abort(fault.provider_reason)
        except TimeoutError:
            self.fault = "caller sent no whole PDU in time"
            return self._abort(None)
        except OSError:
            return self._abort(None) if self._stopping.is_set() else Ending.LOST
        finally:
            if self._store:
                self._store.incoming.abandon()

    def _serve(self) -> Ending:
        while not self._stopping.is_set():
            kind, body = self._wire.next_pdu()
            if kind == pdv.P_DATA:
                for fragment in pdv.fragments(body):
                    self._on_fragment(fragment)
            elif kind == pdv.RELEASE_RQ:
                self._wire.send(pdv.release_response())
                return Ending.RELEASED
            elif kind == pdv.ABORT:
                return Ending.ABORTED_BY_PEER
            else:
                raise ProtocolFault("A-RELEASE-RP without a request", ProtocolFault.UNEXPECTED)
        return self._abort(None)

    def _abort(self, provider_reason: int | None) -> Ending:
        with suppress(OSError):
            self._wire.send(pdv.abort(provider_reason))
            self._wire.drain()
        return Ending.ABORTED_BY_US

    def _on_fragment(self, fragment: Fragment) -> None:
        if fragment.context_id not in self._transfer_syntaxes:
            raise ProtocolFault(f"presentation context {fragment.context_id} was not accepted")
        if fragment.is_command:
            self._on_command_fragment(fragment)
        else:
            self._on_data_fragment(fragment)

    def _on_command_fragment(self, fragment: Fragment) -> None:
        if self._command_context not in (None, fragment.context_id):
            raise ProtocolFault("fragments of two command sets are mixed", ProtocolFault.UNEXPECTED)
        self._command += fragment.data
        self._command_context = fragment.context_id
        if len(self._command) > pdv.MOST_COMMAND_BYTES:
            raise ProtocolFault(f"a command set of more than {pdv.MOST_COMMAND_BYTES} bytes")
        if fragment.is_last:
            command = pdv.command(bytes(self._command))
            self._command.clear()
            self._command_context = None
            self._on_command(command, fragment.context_id)

    def _on_command(self, command: Command, context_id: int) -> None:
        if command.field == pdv.C_CANCEL_RQ:
            return  # nothing of ours can be cancelled (PS3.7 9.3.2.3)
        if self._store:
            raise ProtocolFault("a command before the data set was complete", ProtocolFault.UNEXPECTED)
        if command.field == pdv.C_ECHO_RQ and not command.has_data_set:
            self._wire.send(pdv.response(command, context_id, SUCCESS))
        elif command.field == pdv.C_STORE_RQ and command.has_data_set:
            self._store = _Store(command, context_id, self._begin(command, self._transfer_syntaxes[context_id]))
        else:
            raise ProtocolFault(f"{command.field:04X}H is no C-STORE or C-ECHO request", ProtocolFault.UNEXPECTED)

    def _on_data_fragment(self, fragment: Fragment) -> None:
        store = self._store
        if store is None or store.context_id != fragment.context_id or self._command:
            raise ProtocolFault("data without a C-STORE request", ProtocolFault.UNEXPECTED)
        store.incoming.write(fragment.data)
        if fragment.is_last:
            status = store.incoming.keep()
            self._store = None
            self._wire.send(pdv.response(store.command, store.context_id, status, store.incoming.comment))
