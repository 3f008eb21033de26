"""The outbox: the bytes that a result UID will always have, written once before the first send.

Nothing enters it before it has passed the door; what the door rejects is kept in quarantine and never sent.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.archive.files import require_uid, write_once, write_whole
from dicomnode.errors import Permanent
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, ResultRow
from dicomnode.values import DeliveryStatus, Result, Role

OUTBOX = "outbox"
QUARANTINE = "quarantine"


@dataclass(frozen=True)
class OutboxObject:
    """One result object that passed the door."""

    role: Role
    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    study_uid: str
    transfer_syntax_uid: str
    content: bytes
    """The DICOM Part 10 file."""


class OutboxDamaged(Permanent):
    """A file of the outbox is missing or no longer what it was; it is not sent."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not what was written there: restore it from a backup, or process the study again")
        self.path = path


def post(
    index: Index, state: Path, run_key: str, destinations: Iterable[str], objects: Sequence[OutboxObject]
) -> tuple[Result, ...]:
    """Put a run's results in the outbox, queued for every destination; safe to do again.

    An object that is there already keeps its bytes, whatever is offered now.

    Returns:
        The results, in the order of the objects.

    Raises:
        OutboxDamaged: a file has changed since it was written.
        UnsafeUid: a SOP Instance UID is none.
    """
    results = tuple(place_result(state, run_key, item) for item in objects)
    with index.transaction() as session:
        for result in results:
            add_result(session, state, result)
            add_deliveries(session, result.sop_instance_uid, destinations)
    return results


def quarantine(state: Path, run_key: str, objects: Sequence[OutboxObject], reason: str) -> Path:
    """Keep what the door rejected, with the reason, for a person to look at.

    Returns:
        The folder.
    """
    folder = state / QUARANTINE / run_key[:2] / run_key
    for item in objects:
        write_whole(folder / f"{require_uid(item.sop_instance_uid, 'SOP Instance UID')}.dcm", item.content)
    write_whole(folder / "reason.txt", f"{reason}\n".encode())
    return folder


def load_result(session: Session, state: Path, sop_instance_uid: str) -> Result:
    """A result of the outbox by its UID.

    Raises:
        OutboxDamaged: there is none.
    """
    row = session.get(ResultRow, sop_instance_uid)
    if row is None:
        raise OutboxDamaged(state / OUTBOX / "*" / f"{sop_instance_uid}.dcm")
    return result_of(row, state)


def result_of(row: ResultRow, state: Path) -> Result:
    """A row of the index as a value."""
    return Result(
        run_key=row.run_key,
        role=Role(row.role),
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        series_uid=row.series_uid,
        study_uid=row.study_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        path=state / row.file,
        digest=row.digest,
    )


def read_unchanged(result: Result) -> bytes:
    """The bytes of a result.

    Raises:
        OutboxDamaged: they are missing, or not the ones first written.
    """
    try:
        content = result.path.read_bytes()
    except FileNotFoundError as fault:
        raise OutboxDamaged(result.path) from fault
    if hashlib.sha256(content).hexdigest() != result.digest:
        raise OutboxDamaged(result.path)
    return content


def add_result(session: Session, state: Path, result: Result) -> None:
    """Enter a result in the index, unless it is there."""
    row = session.get(ResultRow, result.sop_instance_uid)
    if row is not None and row.digest != result.digest:
        raise OutboxDamaged(result.path)
    if row is None:
        session.add(
            ResultRow(
                sop_instance_uid=result.sop_instance_uid,
                run_key=result.run_key,
                role=result.role,
                sop_class_uid=result.sop_class_uid,
                series_uid=result.series_uid,
                study_uid=result.study_uid,
                transfer_syntax_uid=result.transfer_syntax_uid,
                file=result.path.relative_to(state).as_posix(),
                digest=result.digest,
                created_s=time.time(),
            )
        )
        session.flush()


def add_deliveries(session: Session, sop_instance_uid: str, destinations: Iterable[str]) -> None:
    """Queue a result for destinations, unless it is on its way there."""
    query = select(DeliveryRow.destination).where(DeliveryRow.sop_instance_uid == sop_instance_uid)
    known = set(session.scalars(query))
    session.add_all(
        DeliveryRow(
            sop_instance_uid=sop_instance_uid,
            destination=destination,
            status=DeliveryStatus.QUEUED,
            queued_s=time.time(),
        )
        for destination in dict.fromkeys(destinations)
        if destination not in known
    )


def place_result(state: Path, run_key: str, item: OutboxObject) -> Result:
    """Write one object to the outbox; the first bytes under a UID stay for ever."""
    name = require_uid(item.sop_instance_uid, "SOP Instance UID")
    path = state / OUTBOX / run_key[:2] / run_key / f"{name}.dcm"
    write_once(path, item.content)
    return Result(
        run_key=run_key,
        role=item.role,
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        series_uid=item.series_uid,
        study_uid=item.study_uid,
        transfer_syntax_uid=item.transfer_syntax_uid,
        path=path,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
