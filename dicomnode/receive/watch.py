"""Drops callers that hold an association open and send nothing, or a byte now and then.

A caller has `association_timeout_s` to negotiate and `idle_timeout_s` for each whole PDU. While we are at work
on what it sent, it may wait. A connection is dropped by shutting its socket: every reader then sees its end.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pynetdicom.association import Association

from dicomnode.config.tables import Receive
from dicomnode.receive.refusals import Refusals

SPARE_CONNECTIONS = 64
"""Connections beyond the allowed associations that may be open, so that each can be told why not."""
GRACE_S = 0.5
"""From the A-ABORT that we send to the cut."""


@dataclass
class _Heard:
    """When something was last heard on a connection."""

    address: str
    since_s: float
    last_s: float
    busy: bool = False
    handed_over: bool = False
    """Someone else watches it now."""
    dropped_s: float | None = None
    """When we told it to go."""


class Watch:
    """The open connections; thread-safe."""

    def __init__(self, settings: Receive, refusals: Refusals, on_ended: Callable[[Association], None]) -> None:
        self._settings, self._refusals, self._on_ended = settings, refusals, on_ended
        self._associations: dict[Association, _Heard] = {}
        self._handshakes: dict[socket.socket, float] = {}
        self._lock = threading.Lock()

    def has_space(self) -> bool:
        """Whether one more connection may be opened."""
        with self._lock:
            opened = len(self._associations) + len(self._handshakes)
        return opened < 2 * self._settings.max_associations + SPARE_CONNECTIONS

    def refused(self, address: str, reason: str) -> None:
        """A connection was closed before it said who it was."""
        self._refusals.record("", address, status="closed", reason=reason)

    def opened(self, association: Association) -> None:
        """A connection became an association, not negotiated yet."""
        now = time.monotonic()
        with self._lock:
            self._associations[association] = _Heard(str(association.requestor.address), now, now)

    def heard(self, association: Association) -> None:
        """A whole PDU came."""
        if found := self._associations.get(association):
            found.last_s = time.monotonic()

    def hand_over(self, association: Association) -> None:
        """Another keeps the time of this association from now on."""
        if found := self._associations.get(association):
            found.handed_over = True

    @contextmanager
    def working(self, association: Association) -> Iterator[None]:
        """While this lasts, the caller waits for us."""
        found = self._associations.get(association)
        if found:
            found.busy = True
        try:
            yield
        finally:
            if found:
                found.last_s, found.busy = time.monotonic(), False

    @contextmanager
    def handshake(self, connection: socket.socket) -> Iterator[None]:
        """While this lasts, the connection is cut after `association_timeout_s`."""
        with self._lock:
            self._handshakes[connection] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._handshakes.pop(connection, None)

    def tend(self) -> None:
        """Drop who is late, and tidy up after who is gone; called now and then."""
        now = time.monotonic()
        with self._lock:
            associations, handshakes = list(self._associations.items()), list(self._handshakes.items())
        for connection, since_s in handshakes:
            if now - since_s > self._settings.association_timeout_s:
                _cut(connection)
        for association, heard in associations:
            if not association.is_alive() and not association.dul.is_alive() and now - heard.since_s > GRACE_S:
                self._forget(association)
            elif heard.dropped_s is not None:
                _cut_if_late(association, now - heard.dropped_s)
            elif reason := self._lateness(association, heard, now):
                self._drop(association, heard, reason)

    def _lateness(self, association: Association, heard: _Heard, now: float) -> str:
        if heard.handed_over or heard.busy:
            return ""
        if association.is_established:
            return "caller sent no whole PDU in time" if now - heard.last_s > self._settings.idle_timeout_s else ""
        if now - heard.last_s > self._settings.association_timeout_s:
            return "caller did not finish negotiating, or leaving, in time"
        return ""

    def _drop(self, association: Association, heard: _Heard, reason: str) -> None:
        heard.dropped_s = time.monotonic()
        calling_ae = str(association.requestor.ae_title).strip()
        if association.is_established:
            association.abort(block=False)
        self._refusals.record(calling_ae, heard.address, status="dropped", reason=reason)

    def _forget(self, association: Association) -> None:
        with self._lock:
            self._associations.pop(association, None)
        self._on_ended(association)


def _cut_if_late(association: Association, waited_s: float) -> None:
    """Shut the connection of a caller that has not gone by itself: a reader stuck in it sees its end."""
    wrapped = association.dul.socket
    if waited_s > GRACE_S and wrapped is not None and wrapped.socket is not None:
        _cut(wrapped.socket)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
