"""What goes wrong between us and a peer, each in words that name the peer and the cure.

PeerUnavailable (Transient)
├── NoAnswer         no connection, or nothing comes over it
├── BusyPeer         the peer asks us to come back later
└── Aborted          an open association was lost
PeerRefused (Permanent)
├── Rejected         the peer rejects our association for good
├── Untrusted        its TLS certificate is not one we trust
├── NotAccepted      it does not take the kinds of object or service we need
└── Failed           it answered one request with a failure that will repeat
"""

from collections.abc import Sequence

from pydicom.uid import UID

from dicomnode.errors import PeerRefused, PeerUnavailable
from dicomnode.peers.remote import Remote


class NoAnswer(PeerUnavailable):
    """A peer cannot be reached, or is silent."""

    def __init__(self, remote: Remote, why: str) -> None:
        super().__init__(f"{remote} does not answer: {why}")
        self.remote, self.why = remote, why


class BusyPeer(PeerUnavailable):
    """A peer lacks resources, or rejects associations for now."""

    def __init__(self, remote: Remote, why: str, comment: str = "") -> None:
        super().__init__(f"{remote} asks to try later: {why}")
        self.remote, self.why, self.comment = remote, why, comment


class Aborted(PeerUnavailable):
    """An association was lost before the answer came."""

    def __init__(self, remote: Remote, during: str) -> None:
        super().__init__(f"{remote} ended the association or fell silent during {during}")
        self.remote, self.during = remote, during


class Rejected(PeerRefused):
    """A peer rejects our association for good."""

    def __init__(self, remote: Remote, why: str) -> None:
        super().__init__(f"{remote} rejects associations from {remote.our_ae}: {why}")
        self.remote, self.why = remote, why


class Untrusted(PeerRefused):
    """The peer's TLS certificate is not one that we trust."""

    def __init__(self, remote: Remote, why: str) -> None:
        super().__init__(f"{remote} shows a TLS certificate that we do not trust: {why}")
        self.remote, self.why = remote, why


class NotAccepted(PeerRefused):
    """A peer does not accept a SOP class, or none of the transfer syntaxes we can give."""

    def __init__(self, remote: Remote, sop_classes: Sequence[str]) -> None:
        names = ", ".join(UID(uid).name for uid in sop_classes)
        super().__init__(f"{remote} does not accept {names}")
        self.remote, self.sop_classes = remote, tuple(sop_classes)


class Failed(PeerRefused):
    """A peer answered a request with a failure that will repeat."""

    def __init__(self, remote: Remote, request: str, status: int, why: str, comment: str = "") -> None:
        super().__init__(f"{remote} refuses {request}: {why} ({status:04X})")
        self.remote, self.status, self.why, self.comment = remote, status, why, comment
