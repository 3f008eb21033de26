"""Storage Commitment (PS3.4 Annex J): the PACS confirms that it keeps what we sent.

The request goes out on an association of ours. The report comes minutes or days later on one that the PACS opens
(the receiver hands it to `record_report`), or at once on ours. No thread waits for it: it closes rows of the index.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from dicomnode.deliver.ledger import delivery
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.schema import DeliveryRow, ResultRow
from dicomnode.peers.associate import association
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import SUCCESS, answered, failure, is_warning
from dicomnode.values import DeliveryStatus, Result

log = structlog.get_logger()

REQUEST_COMMITMENT = 1
"""Action type of the request (PS3.4 J.3.2)."""
UNKNOWN_TRANSACTION = 0x0115
"""Invalid argument value: what a report for a transaction that we did not ask for is answered (PS3.7 10.1.1.1.8)."""
HOLD_S = 1.0
"""How long our association stays open for peers that report on it."""

REASONS = {
    0x0110: "it could not process the request",
    0x0112: "it does not have the instance",
    0x0119: "it has the instance under another SOP class",
    0x0122: "it commits no instances of this SOP class",
    0x0131: "the transaction UID was in use",
    0x0213: "it has no resources left",
}
"""Failure Reason (0008,1197) in words (PS3.3 C.14.1.1)."""
FOR_GOOD = frozenset({0x0119, 0x0122})
"""Sending the same bytes again will not cure these: a person must act."""
GIVE_UP_S = 14 * 86400.0
"""A result that is stored and not committed again and again for so long waits for a person."""
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 900.0
"""Before it is sent again: doubled with each attempt."""


@dataclass(frozen=True)
class ReportOutcome:
    """What a commitment report changed."""

    status: int
    """DIMSE status to answer the N-EVENT-REPORT with."""
    committed: tuple[str, ...] = ()
    """SOP Instance UIDs that are committed by this report."""
    queued: tuple[str, ...] = ()
    """SOP Instance UIDs that are to be sent again."""
    parked: tuple[str, ...] = ()
    """SOP Instance UIDs that a person must look at."""


@dataclass
class _Tally:
    committed: list[str] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)


def request_commitment(index: Index, remote: Remote, results: Sequence[Result], *, hold_s: float = HOLD_S) -> str:
    """Ask a peer to commit to results that it has stored (N-ACTION).

    The rows know the transaction before the request leaves, so that no report to it is unknown. What was asked for
    before is left out until that request is overdue.

    Returns:
        The Transaction UID; empty where nothing was left to ask for.

    Raises:
        PeerUnavailable: not asked, or no answer: ask again later.
        PeerRefused: the peer gives no commitment: set `commitment = false` for it, or have it enabled there.
    """
    transaction_uid = str(generate_uid(prefix=None))
    asked = _open_transaction(index, remote, results, transaction_uid)
    if not asked:
        return ""
    reported: list[bool] = []
    handlers = [(evt.EVT_N_EVENT_REPORT, _on_report(index, reported))]
    contexts = [build_context(StorageCommitmentPushModel)]
    try:
        with association(remote, contexts, handlers=handlers) as opened:
            _ask(opened, remote, _references(transaction_uid, asked))
            log.info("commitment.requested", destination=remote.name, transaction=transaction_uid, instances=len(asked))
            _hold(opened, reported, hold_s)
    except NodeError as fault:
        _note_unasked(index, transaction_uid, str(fault))
        raise
    return transaction_uid


def record_report(
    index: Index, transaction_uid: str, committed: Sequence[str], failed: Mapping[str, int]
) -> ReportOutcome:
    """Enter a commitment report; the same report twice changes nothing the second time.

    Args:
        index: the index.
        transaction_uid: of the request it answers.
        committed: SOP Instance UIDs that the peer keeps.
        failed: SOP Instance UIDs that it does not, with the Failure Reason (0008,1197).
    """
    tally = _Tally()
    with index.transaction() as session:
        query = select(DeliveryRow, ResultRow.created_s).join(ResultRow)
        rows = session.execute(query.where(DeliveryRow.transaction_uid == transaction_uid)).all()
        for row, created_s in rows:
            _close(row, committed, failed, tally, given_up=time.time() - created_s > GIVE_UP_S)
    if not rows:
        log.warning("commitment.unknown", transaction=transaction_uid)
        return ReportOutcome(UNKNOWN_TRANSACTION)
    outcome = ReportOutcome(SUCCESS, tuple(tally.committed), tuple(tally.queued), tuple(tally.parked))
    log.info(
        "commitment.reported",
        transaction=transaction_uid,
        committed=len(outcome.committed),
        queued=len(outcome.queued),
        parked=len(outcome.parked),
    )
    return outcome


def on_event_report(index: Index, information: Dataset) -> int:
    """Answer an N-EVENT-REPORT of the Storage Commitment Push Model (PS3.4 J.3.3).

    Args:
        index: the index.
        information: the Event Information.

    Returns:
        The DIMSE status.
    """
    committed = [str(item.ReferencedSOPInstanceUID) for item in information.get("ReferencedSOPSequence", ())]
    failed = {
        str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason", 0x0110))
        for item in information.get("FailedSOPSequence", ())
    }
    return record_report(index, str(information.get("TransactionUID", "")), committed, failed).status


def unasked(session: Session, destination: str) -> tuple[str, ...]:
    """SOP Instance UIDs that a destination stored and was not asked to commit to."""
    return _sent(session, destination, DeliveryRow.requested_s.is_(None))


def overdue(session: Session, remote: Remote, now_s: float) -> tuple[str, ...]:
    """SOP Instance UIDs whose commitment was asked for so long ago that it is to be asked for again."""
    return _sent(session, remote.name, DeliveryRow.requested_s < now_s - remote.peer.commitment_wait_s)


def _sent(session: Session, destination: str, condition: ColumnElement[bool]) -> tuple[str, ...]:
    query = (
        select(DeliveryRow.sop_instance_uid)
        .where(DeliveryRow.destination == destination, DeliveryRow.status == DeliveryStatus.SENT, condition)
        .order_by(DeliveryRow.sent_s)
    )
    return tuple(session.scalars(query))


def _open_transaction(index: Index, remote: Remote, results: Sequence[Result], transaction_uid: str) -> list[Result]:
    """Enter the transaction in the rows of results that await commitment; gives those results."""
    asked, overdue_before_s = [], time.time() - remote.peer.commitment_wait_s
    with index.transaction() as session:
        for result in results:
            row = delivery(session, result.sop_instance_uid, remote.name)
            if row is not None and row.status == DeliveryStatus.SENT and (row.requested_s or 0.0) < overdue_before_s:
                row.transaction_uid, row.requested_s = transaction_uid, time.time()
                asked.append(result)
    return asked


def _note_unasked(index: Index, transaction_uid: str, reason: str) -> None:
    """Let a request that failed be due again."""
    with index.transaction() as session:
        waiting = select(DeliveryRow).where(
            DeliveryRow.transaction_uid == transaction_uid, DeliveryRow.status == DeliveryStatus.SENT
        )
        for row in session.scalars(waiting):
            row.requested_s, row.reason = None, reason


def _references(transaction_uid: str, results: Sequence[Result]) -> Dataset:
    """The Action Information of a request (PS3.4 Table J.3-1)."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = []
    for result in results:
        item = Dataset()
        item.ReferencedSOPClassUID = result.sop_class_uid
        item.ReferencedSOPInstanceUID = result.sop_instance_uid
        information.ReferencedSOPSequence.append(item)
    return information


def _ask(opened: Association, remote: Remote, information: Dataset) -> None:
    answer, _ = opened.send_n_action(
        information, REQUEST_COMMITMENT, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    status = answered(answer, remote, "the request for storage commitment")
    if status != SUCCESS and not is_warning(status):
        raise failure(answer, remote, "the request for storage commitment")


def _on_report(index: Index, reported: list[bool]) -> Callable[[Event], tuple[int, None]]:
    """A handler for a report on our own association."""

    def handle(event: Event) -> tuple[int, None]:
        status = on_event_report(index, event.event_information)
        reported.append(True)
        return status, None

    return handle


def _hold(opened: Association, reported: list[bool], hold_s: float) -> None:
    """Leave the association open for a report, but not for long."""
    end_s = time.monotonic() + hold_s
    while not reported and opened.is_established and time.monotonic() < end_s:
        time.sleep(0.02)


def _close(
    row: DeliveryRow, committed: Sequence[str], failed: Mapping[str, int], tally: _Tally, *, given_up: bool
) -> None:
    """Move one row on by what the report says of it.

    A failure counts only while its request stands: after a new attempt, an old report repeated says nothing.
    """
    uid = row.sop_instance_uid
    if uid in committed and row.status in (DeliveryStatus.SENT, DeliveryStatus.PARKED):
        row.status, row.committed_s, row.reason = DeliveryStatus.COMMITTED, time.time(), ""
        tally.committed.append(uid)
    elif uid in failed and row.status == DeliveryStatus.SENT and row.requested_s is not None:
        parked = given_up or failed[uid] in FOR_GOOD
        row.status = DeliveryStatus.PARKED if parked else DeliveryStatus.QUEUED
        row.requested_s, row.queued_s = None, time.time() + _wait_s(row.attempts)
        row.reason = f"not committed: {REASONS.get(failed[uid], 'for an unknown reason')} ({failed[uid]:04X})"
        (tally.parked if parked else tally.queued).append(uid)


def _wait_s(attempts: int) -> float:
    """Before a result that was not committed is sent again: a new round of deliveries, not at once."""
    return float(min(FIRST_WAIT_S * 2 ** min(max(attempts - 1, 0), 20), LONGEST_WAIT_S))
