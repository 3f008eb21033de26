"""Where the fast path takes an association over from pynetdicom.

pynetdicom answers the association request and sends A-ASSOCIATE-AC as ever. Its upper layer thread tells of that
in EVT_FSM_TRANSITION, before it can read another byte, and is held there; EVT_ESTABLISHED, in the association's
own thread, then runs the plain loop to the association's end. An association that wants more than storage and
verification is left to pynetdicom.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import structlog
from pynetdicom import evt
from pynetdicom.association import Association

from dicomnode.config.tables import Receive
from dicomnode.receive.intake import Arrival, Incoming, Intake
from dicomnode.receive.pdv import Command, Wire
from dicomnode.receive.stream import Stream

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
ACCEPTED = "AE-7"
"""Action of the upper layer that sends A-ASSOCIATE-AC (PS3.8 Table 9-6)."""

log = structlog.get_logger()


@dataclass
class _Gate:
    """Between pynetdicom's two threads of one association."""

    accepted: threading.Event = field(default_factory=threading.Event)
    """A-ASSOCIATE-AC is sent and pynetdicom's reading thread is held."""
    ended: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Our side aborts."""


class FastPath:
    """Serves the storage associations of one pynetdicom server without pynetdicom's reactor."""

    def __init__(self, intake: Intake, settings: Receive) -> None:
        self._intake = intake
        self._settings = settings
        self._gates: WeakKeyDictionary[Association, _Gate] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def handlers(self) -> list[tuple[evt.EventType, Callable[[evt.Event], None]]]:
        """What to bind to the server; EVT_ESTABLISHED last, since it returns when the association has ended."""
        return [
            (evt.EVT_FSM_TRANSITION, self._on_transition),
            (evt.EVT_ABORTED, self._on_aborted),
            (evt.EVT_ESTABLISHED, self._on_established),
        ]

    def _gate(self, association: Association) -> _Gate:
        with self._lock:
            return self._gates.setdefault(association, _Gate())

    def _on_transition(self, event: evt.Event) -> None:
        """Hold pynetdicom's reading thread from the moment an association is accepted until it has ended."""
        if event.action == ACCEPTED and is_ours(event.assoc):
            gate = self._gate(event.assoc)
            gate.accepted.set()
            gate.ended.wait()

    def _on_established(self, event: evt.Event) -> None:
        """Serve the association, in its own thread; one that cannot be held is left to pynetdicom."""
        if not is_ours(event.assoc):
            return
        gate = self._gate(event.assoc)
        if not gate.accepted.wait(self._settings.association_timeout_s):
            gate.ended.set()
            return
        try:
            self._serve(event.assoc, gate)
        finally:
            event.assoc.is_established = False  # pynetdicom's own loop does not begin
            event.assoc.dul.kill_dul()  # and its reading thread does not go on
            gate.ended.set()

    def _on_aborted(self, event: evt.Event) -> None:
        """Our side aborts (the receiver stops): wake the loop, which tells the peer."""
        if is_ours(event.assoc):
            self._gate(event.assoc).stopping.set()
            with suppress(OSError):
                socket.socket.shutdown(_socket(event.assoc), socket.SHUT_RD)

    def _serve(self, association: Association, gate: _Gate) -> None:
        stream = self._stream(association, gate)
        ending = stream.run()
        log.debug("association.ended", how=ending.value)
        if stream.fault:
            calling_ae, address = _caller(association)
            self._intake.refusals.record(calling_ae, address, status="dropped", reason=stream.fault)

    def _stream(self, association: Association, gate: _Gate) -> Stream:
        wire = Wire(
            _socket(association),
            max_pdu_bytes=self._settings.max_pdu_bytes,
            idle_s=self._settings.idle_timeout_s,
        )
        syntaxes = {context.context_id: str(context.transfer_syntax[0]) for context in association.accepted_contexts}
        return Stream(wire, syntaxes, self._begin_for(association), gate.stopping)

    def _begin_for(self, association: Association) -> Callable[[Command, str], Incoming]:
        calling_ae, address = _caller(association)

        def begin(command: Command, transfer_syntax_uid: str) -> Incoming:
            arrival = Arrival(command.sop_class_uid, command.sop_instance_uid, transfer_syntax_uid, calling_ae, address)
            return self._intake.begin(arrival)

        return begin


def is_ours(association: Association) -> bool:
    """Whether everything accepted is storage or verification; Storage Commitment is pynetdicom's to serve."""
    accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
    return bool(accepted) and STORAGE_COMMITMENT not in accepted


def _caller(association: Association) -> tuple[str, str]:
    """AE title and network address."""
    return str(association.requestor.ae_title).strip(), str(association.requestor.address)


def _socket(association: Association) -> socket.socket:
    """The connection, plain or TLS."""
    connection: socket.socket = association.dul.socket.socket
    return connection
