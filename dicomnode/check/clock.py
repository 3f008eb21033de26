"""The clock: results carry its time, and retries and retention count by it."""

import shutil
import subprocess
import time

from sqlalchemy import func, select

from dicomnode.check.finding import Finding, fault, ok, warning
from dicomnode.index.database import Index
from dicomnode.index.schema import BeatRow, StudyRow

EARLIEST_S = 1_767_225_600.0
"""2026-01-01: no copy of this program is older."""
SLACK_S = 120.0
FIX = "set the clock, and keep it by NTP: timedatectl set-ntp true"


def clock(index: Index) -> list[Finding]:
    """Compare the clock with what the index has seen, and ask whether it is kept by NTP."""
    now_s = time.time()
    said = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now_s))
    if now_s < EARLIEST_S:
        return [fault("clock", f"it says {said}, which is before this program was made", FIX)]
    ahead_s = latest_seen_s(index) - now_s
    if ahead_s > SLACK_S:
        words = f"it says {said}, {ahead_s:.0f} s before something that the index already holds"
        return [fault("clock", words, FIX)]
    if kept_by_ntp() is False:
        return [warning("clock", f"it says {said}, and nothing keeps it right", FIX)]
    return [ok("clock", said)]


def latest_seen_s(index: Index) -> float:
    """The latest time in the index."""
    with index.snapshot() as session:
        times = [session.scalar(select(func.max(column))) for column in (StudyRow.last_received_s, BeatRow.beat_s)]
    return max(filter(None, times), default=0.0)


def kept_by_ntp() -> bool | None:
    """Whether systemd says that the clock is synchronised; None where it cannot be asked."""
    if shutil.which("timedatectl") is None:
        return None
    question = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        said = subprocess.run(question, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(said)
