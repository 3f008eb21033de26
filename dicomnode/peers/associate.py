"""One association that we open, with time-outs, TLS and every way it can fail named."""

import math
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext

from dicomnode.config.tables import Tls
from dicomnode.errors import ConfigFault, PeerRefused, PeerUnavailable
from dicomnode.peers.caller import Caller
from dicomnode.peers.faults import Aborted, BusyPeer, NoAnswer, NotAccepted, Rejected, Untrusted
from dicomnode.peers.remote import Remote

Handler = tuple[Any, Callable[[Event], Any]]
"""A pynetdicom event and what answers it."""

MAX_PDU_BYTES = 131072
ACCEPTED = 0x00
REJECTED_FOR_GOOD = 0x01
CONNECT_S = 10.0
"""Longest wait for a connection, whatever the peer's own time-out."""


@contextmanager
def association(
    remote: Remote,
    contexts: Sequence[PresentationContext],
    *,
    answer_s: float | None = None,
    handlers: Sequence[Handler] = (),
    roles: Sequence[Any] = (),
) -> Iterator[Association]:
    """An established association, released when the block ends.

    Args:
        remote: whom to call.
        contexts: what to propose; at least one is accepted when the block begins.
        answer_s: how long to wait for each answer; None for the peer's own time-out.
        handlers: what answers the peer's own requests on this association.
        roles: SCP/SCU role selection items, where our role is not the usual one (PS3.7 D.3.3.4).

    Raises:
        PeerUnavailable: no connection, no answer, or rejected for now.
        PeerRefused: rejected for good, not trusted, or nothing of what we propose is accepted.
    """
    begun_s = time.monotonic()
    connected: list[bool] = []
    watching = [*handlers, (evt.EVT_CONN_OPEN, _noting(connected, remote.peer.timeout_s))]
    opened = _request(_caller(remote, answer_s), remote, contexts, watching, roles)
    if not opened.is_established:
        raise _why_not(opened, remote, bool(connected), waited=time.monotonic() - begun_s >= remote.peer.timeout_s)
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def tls_context(tls: Tls) -> ssl.SSLContext:
    """How we open TLS: our certificate shown, the peer's checked, TLS 1.2 or later (PS3.15 B.12).

    Raises:
        ConfigFault: a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.authorities))
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigFault(f"[receive.tls] certificate, key or authorities cannot be used: {fault}") from fault
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _caller(remote: Remote, answer_s: float | None) -> Caller:
    timeout_s = remote.peer.timeout_s
    caller = Caller(remote.our_ae)
    caller.connection_timeout, caller.acse_timeout = min(CONNECT_S, timeout_s), timeout_s
    caller.dimse_timeout = answer_s or timeout_s
    caller.network_timeout = 2 * caller.dimse_timeout
    return caller


def _request(
    caller: Caller,
    remote: Remote,
    contexts: Sequence[PresentationContext],
    handlers: list[Handler],
    roles: Sequence[Any],
) -> Association:
    tls = remote.tls
    try:
        return caller.associate(
            remote.peer.host,
            remote.peer.port,
            contexts=list(contexts),
            ae_title=remote.peer.ae_title,
            max_pdu=MAX_PDU_BYTES,
            tls_args=(tls_context(tls), remote.peer.host) if tls else None,
            evt_handlers=handlers,
            ext_neg=list(roles),
        )
    except socket.gaierror as fault:
        raise NoAnswer(remote, f"its host name is not known here ({fault.strerror})") from fault
    except OSError as fault:
        raise NoAnswer(remote, f"no socket could be opened here ({fault.strerror})") from fault


def _noting(connected: list[bool], send_s: float) -> Callable[[Event], None]:
    """A handler that notes the connection, ends Nagle's wait on it, and bounds a send that nobody reads."""

    def on_connected(event: Event) -> None:
        connected.append(True)
        opened = event.assoc.dul.socket.socket
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", math.ceil(send_s), 0))

    return on_connected


def _why_not(opened: Association, remote: Remote, connected: bool, *, waited: bool) -> PeerUnavailable | PeerRefused:
    """The error that a failed request for an association stands for (PS3.8 9.3.4)."""
    if not connected:
        return _why_unreachable(remote)
    answer = opened.acceptor.primitive
    if answer is None:
        hint = " (does it trust our certificate?)" if remote.tls else ""
        return NoAnswer(remote, "it took too long to negotiate") if waited else Aborted(remote, f"negotiation{hint}")
    if answer.result == ACCEPTED:
        return NotAccepted(remote, sorted({str(cx.abstract_syntax) for cx in opened.requestor.requested_contexts}))
    reason = f"{answer.reason_str} ({answer.source_str})"
    return Rejected(remote, reason) if answer.result == REJECTED_FOR_GOOD else BusyPeer(remote, reason)


def _why_unreachable(remote: Remote) -> NoAnswer | Untrusted:
    """Connect once more by hand, only to learn why it fails."""
    try:
        with socket.create_connection(
            (remote.peer.host, remote.peer.port), timeout=min(CONNECT_S, remote.peer.timeout_s)
        ) as plain:
            if remote.tls:
                tls_context(remote.tls).wrap_socket(plain, server_hostname=remote.peer.host).close()
    except ssl.SSLCertVerificationError as fault:
        return Untrusted(remote, fault.verify_message)
    except ssl.SSLError as fault:
        return NoAnswer(remote, f"TLS could not be agreed ({fault.reason}): does it speak TLS on this port?")
    except OSError as fault:
        return NoAnswer(remote, (fault.strerror or str(fault) or "time ran out").lower())
    return NoAnswer(remote, "the connection failed once, and works now")
