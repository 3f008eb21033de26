"""The audit of what the engine asks a PACS about studies that are arriving (PS3.15 A.5.3.10, Query)."""

import threading

from dicomnode.audit import AuditTrail
from dicomnode.peers.remote import Remote

AGAIN_S = 3600.0
"""A study is asked for every second while it arrives: one event stands for all queries of so long."""


class Queries:
    """Which studies the audit trail has been told of; thread-safe."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail, self._lock = trail, threading.Lock()
        self._told_s: dict[tuple[str, str], float] = {}

    def tell(self, there: Remote, study_uid: str, now_s: float) -> None:
        """Tell the trail that we ask a peer for the counts of a study, unless it was told lately."""
        with self._lock:
            self._told_s = {asked: told_s for asked, told_s in self._told_s.items() if now_s - told_s < AGAIN_S}
            if (there.name, study_uid) in self._told_s:
                return
            self._told_s[there.name, study_uid] = now_s
        peer = there.peer
        self._trail.queried(calling_ae=there.our_ae, called_ae=peer.ae_title, address=peer.host, study_uids=[study_uid])
