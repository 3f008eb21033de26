"""C-ECHO: whether a peer is there, and what it would accept."""

import time
from collections.abc import Collection
from dataclasses import dataclass

from pynetdicom import build_context
from pynetdicom.sop_class import Verification

from dicomnode.peers.associate import association
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import SUCCESS, answered, failure


@dataclass(frozen=True)
class Echo:
    """The answer of a peer that is there."""

    seconds: float
    """From the request for an association to the answer."""
    accepted: frozenset[str]
    """Of the SOP classes asked about, those it accepts."""


def echo(remote: Remote, asking_about: Collection[str] = ()) -> Echo:
    """Verify a peer (PS3.4 Annex A), and see by negotiation which of some SOP classes it accepts.

    Raises:
        PeerUnavailable: it does not answer.
        PeerRefused: it rejects us.
    """
    begun_s = time.monotonic()
    contexts = [build_context(Verification), *(build_context(uid) for uid in sorted(asking_about))]
    with association(remote, contexts) as opened:
        answer = opened.send_c_echo()
        if answered(answer, remote, "C-ECHO") != SUCCESS:
            raise failure(answer, remote, "C-ECHO")
        accepted = frozenset(str(cx.abstract_syntax) for cx in opened.accepted_contexts)
    return Echo(time.monotonic() - begun_s, accepted & frozenset(asking_about))
