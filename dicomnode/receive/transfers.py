"""Who sent how many instances of which study, summed up until the audit trail is told."""

import threading
import time
from dataclasses import dataclass

QUIET_S = 10.0


@dataclass
class Transfer:
    """Instances of one study that one peer sent without a long pause."""

    calling_ae: str
    address: str
    study_uid: str
    instances: int = 0
    last_s: float = 0.0


class Transfers:
    """Transfers under way; thread-safe."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], Transfer] = {}
        self._lock = threading.Lock()

    def add(self, calling_ae: str, address: str, study_uid: str) -> None:
        """One more instance was stored."""
        key = (calling_ae, address, study_uid)
        with self._lock:
            transfer = self._open.setdefault(key, Transfer(*key))
            transfer.instances += 1
            transfer.last_s = time.monotonic()

    def ended(self, quiet_s: float = QUIET_S) -> list[Transfer]:
        """Take out the transfers that have been quiet for so long."""
        oldest_s = time.monotonic() - quiet_s
        with self._lock:
            ended = [transfer for transfer in self._open.values() if transfer.last_s <= oldest_s]
            for transfer in ended:
                del self._open[transfer.calling_ae, transfer.address, transfer.study_uid]
        return ended
