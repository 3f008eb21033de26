"""What was refused, kept for `dicomnode status` and written to the log; never who or what the patient is."""

import threading
import time
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.audit import AuditTrail
from dicomnode.index.database import Index
from dicomnode.index.schema import RefusalRow

QUIET_S = 10.0
"""The same refusal is written once in so long, so that a sender in a loop cannot fill the index."""
DAY_S = 86400.0
"""So long for what a sender proposes in vain with every association."""
REMEMBERED = 1000
SECURITY = {"reject", "closed"}
"""Refused before any instance came: told to the audit trail too."""

log = structlog.get_logger()


class Refusals:
    """The list of refusals; thread-safe."""

    def __init__(self, index: Index, trail: AuditTrail | None = None) -> None:
        self._index, self._trail = index, trail
        self._seen: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def record(self, calling_ae: str, address: str, *, status: str, reason: str, sop_instance_uid: str = "") -> None:
        """Keep one refusal and log it; a failure to keep it is logged and harms nothing else."""
        quiet_s = DAY_S if status == "context" else QUIET_S
        if not self._is_new((calling_ae, address, status, reason, sop_instance_uid), quiet_s):
            return
        with suppress(OSError):  # a log on a full disk must not change the answer
            log.warning(
                "receive.refused",
                calling_ae=calling_ae,
                address=address,
                status=status,
                reason=reason,
                sop_instance_uid=sop_instance_uid,
            )
        if self._trail and status in SECURITY:
            with suppress(OSError):
                self._trail.refused(calling_ae=calling_ae, address=address, reason=reason)
        self._keep(
            RefusalRow(
                at_s=time.time(),
                calling_ae=calling_ae[:16],
                address=address[:64],
                sop_instance_uid=sop_instance_uid[:64],
                status=status,
                reason=reason,
            )
        )

    def _keep(self, row: RefusalRow) -> None:
        try:
            with self._index.transaction() as session:
                session.add(row)
        except SQLAlchemyError as fault:
            with suppress(OSError):
                log.error("receive.refusal_not_kept", fault=type(fault).__name__)

    def _is_new(self, key: tuple[str, ...], quiet_s: float) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._seen.get(key, now - quiet_s) < quiet_s:
                return False
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen[key] = now
            return True
