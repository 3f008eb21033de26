"""The record of decisions: append-only, each entry bound to the one before by its hash.

An edited, deleted or moved entry breaks the chain. Entries cut off at the end leave a chain that is whole: against
that stands the head file (number and hash of the last entry), every log line `decision`, and every backup.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from dicomnode.archive.files import write_whole
from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow

log = structlog.get_logger()

FIRST = "0" * 64
"""What the first entry stands on."""
HEAD = Path("models") / "decisions.head"
"""Below the state folder: "NUMBER HASH" of the last entry."""


@dataclass(frozen=True)
class Checked:
    """What a look at the whole record found."""

    entries: int
    faults: tuple[str, ...]
    """In words; empty where it is whole."""


def record(  # noqa: PLR0913 (what an entry says)
    session: Session,
    what: str,
    *,
    model: str = "",
    digest: str = "",
    by: str = "",
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> DecisionRow:
    """Append an entry within the transaction that does what it tells of; one at a time, whoever appends.

    Its line is logged when the transaction has ended well.
    """
    one_at_a_time(session)
    last = session.scalars(select(DecisionRow).order_by(DecisionRow.number.desc()).limit(1)).first()
    row = DecisionRow(
        number=last.number + 1 if last else 1,
        at_s=time.time(),
        what=what,
        model=model,
        digest=digest,
        by=by,
        reason=reason,
        details=json.loads(json.dumps(details or {})),
        before=last.hash if last else FIRST,
    )
    row.hash = hash_of(row)
    session.add(row)
    session.flush()
    event.listen(session, "after_commit", lambda _: _told(row), once=True)
    return row


def hash_of(row: DecisionRow) -> str:
    """SHA-256 over an entry and the hash of the one before, hex."""
    names = ("number", "at_s", "what", "model", "digest", "by", "reason", "details", "before")
    told = json.dumps({name: getattr(row, name) for name in names}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()


def checked(session: Session, state: Path) -> Checked:
    """Look at every entry, and at the head file."""
    rows = session.scalars(select(DecisionRow).order_by(DecisionRow.number)).all()
    faults, before = [], FIRST
    for expected, row in enumerate(rows, start=1):
        if row.number != expected:
            faults.append(f"entry {expected} is missing (the next is {row.number})")
            break
        if row.before != before:
            faults.append(f"entry {row.number} does not follow the one before it: one was changed, removed or moved")
        if hash_of(row) != row.hash:
            faults.append(f"entry {row.number} was changed after it was written")
        before = row.hash
    return Checked(len(rows), (*faults, *_head_faults({row.number: row.hash for row in rows}, state)))


def keep_head(index: Index, state: Path) -> None:
    """Write number and hash of the last entry beside the index, durably; never over a head that the record lacks."""
    number, found = _head(state)
    with index.snapshot() as session:
        last = session.scalars(select(DecisionRow).order_by(DecisionRow.number.desc()).limit(1)).first()
        named = session.get(DecisionRow, number)
    if last is None or last.number <= number:
        return
    if number and (named is None or named.hash != found):
        log.error("decision.head", number=number, fix="the record was changed: `dicomnode models log --verify`")
        return
    write_whole(state / HEAD, f"{last.number} {last.hash}\n".encode())


def _head(state: Path) -> tuple[int, str]:
    try:
        number, _, found = (state / HEAD).read_text(encoding="ascii").strip().partition(" ")
        return int(number), found
    except (OSError, ValueError):
        return 0, ""


def _head_faults(hashes: Mapping[int, str], state: Path) -> tuple[str, ...]:
    number, found = _head(state)
    if number == 0 or hashes.get(number) == found:
        return ()
    if number not in hashes:
        return (
            f"entries are missing at the end: {HEAD} names entry {number}, the last one is {max(hashes, default=0)}",
        )
    return (f"entry {number} is not the one that {HEAD} names",)


def one_at_a_time(session: Session) -> None:
    """Have other decisions wait until this transaction ends; on SQLite it is alone anyhow (BEGIN IMMEDIATE)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE decisions IN EXCLUSIVE MODE"))


def _told(row: DecisionRow) -> None:
    log.info("decision", number=row.number, what=row.what, model=row.model, digest=row.digest[:12], hash=row.hash)
