"""Alarms: written once for each cause until a person clears them, and posted to the webhook without any identity."""

import json
import time
import urllib.error
import urllib.request

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode import __version__
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import AlarmRow

log = structlog.get_logger()

DRIFT = "drift"
TIMEOUT_S = 10.0
OLDEST_S = 30 * 86400.0
"""Older alarms are not posted any more."""


def raise_alarm(session: Session, model: str, cause: str, words: str, now_s: float) -> bool:
    """Write a drift alarm, unless one for the same cause stands; whether it was written."""
    standing = select(AlarmRow).where(
        AlarmRow.model == model, AlarmRow.kind == DRIFT, AlarmRow.cause == cause, AlarmRow.cleared_s.is_(None)
    )
    if session.scalars(standing.limit(1)).first() is not None:
        return False
    session.add(AlarmRow(model=model, kind=DRIFT, cause=cause, words=words, at_s=now_s))
    log.error("drift.alarm", model=model, cause=cause, words=words)
    return True


def clear(session: Session, alarm_key: int) -> AlarmRow:
    """Take an alarm as seen; the same cause may alarm again.

    Raises:
        ConfigFault: there is no such alarm, or it is cleared.
    """
    row = session.get(AlarmRow, alarm_key)
    if row is None or row.cleared_s is not None:
        raise ConfigFault(f"there is no standing alarm {alarm_key}: `dicomnode learn drift` lists them")
    row.cleared_s = time.time()
    return row


def tell(index: Index, webhook: str, now_s: float) -> int:
    """Post what was not posted yet; what is not taken is posted at the next look. How many were taken."""
    if not webhook:
        return 0
    with index.snapshot() as session:
        query = select(AlarmRow).where(AlarmRow.told_s.is_(None), AlarmRow.at_s >= now_s - OLDEST_S)
        waiting = session.scalars(query.order_by(AlarmRow.at_s)).all()
    told = 0
    for row in waiting:
        if not _posted(webhook, row):
            break
        with index.transaction() as session:
            session.get_one(AlarmRow, row.alarm_key).told_s = now_s
        told += 1
    return told


def _posted(webhook: str, row: AlarmRow) -> bool:
    said = {"from": f"dicomnode {__version__}", "model": row.model, "kind": row.kind, "cause": row.cause}
    body = json.dumps({**said, "words": row.words, "at_s": round(row.at_s)}).encode()
    request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})  # noqa: S310 - http(s) alone
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            answer.read(1024)
    except (OSError, urllib.error.URLError, ValueError) as fault:
        log.warning("drift.untold", alarm=row.alarm_key, reason=type(fault).__name__)
        return False
    return True
