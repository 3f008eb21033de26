"""Storage Commitment (PS3.4 Annex J): the PACS confirms that it keeps what we sent.

The request goes out on an association of ours. The report comes minutes or days later on one that the PACS opens
(the receiver hands it to `reports`), or at once on ours. No thread waits for it: it closes rows of the index.
"""

import time
from collections.abc import Callable, Sequence

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from dicomnode.deliver.ledger import delivery
from dicomnode.deliver.reports import on_event_report
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.schema import CommitmentRequestRow, DeliveryRow
from dicomnode.peers.associate import association
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import SUCCESS, answered, failure, is_warning
from dicomnode.values import DeliveryStatus, Result

log = structlog.get_logger()

REQUEST_COMMITMENT = 1
"""Action type of the request (PS3.4 J.3.2)."""
HOLD_S = 1.0
"""How long our association stays open for peers that report on it."""

ANSWERED_WITHIN = 3
"""A request without an answer (we were killed over it) is made again after so many of the peer's time-outs."""
NO_REPORT = "it took them and never reported that it keeps them: does it know our AE title, address and port?"


def request_commitment(index: Index, remote: Remote, results: Sequence[Result], *, hold_s: float = HOLD_S) -> str:
    """Ask a peer to commit to results that it has stored (N-ACTION).

    The index knows the transaction before the request leaves, so that no report to it is unknown. What was asked for
    before is left out until that request is overdue. Asking again ends no earlier transaction.

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
            _note_taken(index, transaction_uid)
            log.info("commitment.requested", destination=remote.name, transaction=transaction_uid, instances=len(asked))
            _hold(opened, reported, hold_s)
    except NodeError as fault:
        _note_unasked(index, transaction_uid, str(fault))
        raise
    return transaction_uid


def unasked(session: Session, destination: str) -> tuple[str, ...]:
    """SOP Instance UIDs that a destination stored and was not asked to commit to."""
    return _sent(session, destination, DeliveryRow.requested_s.is_(None))


def overdue(session: Session, remote: Remote, now_s: float) -> tuple[str, ...]:
    """SOP Instance UIDs whose commitment was asked for so long ago that it is to be asked for again."""
    return _sent(session, remote.name, _is_overdue(remote, now_s))


def _is_overdue(remote: Remote, now_s: float) -> ColumnElement[bool]:
    """No report came in time, or no answer to the request itself: it may never have left."""
    wait_s = remote.peer.commitment_wait_s
    answer_s = min(wait_s, ANSWERED_WITHIN * remote.peer.timeout_s)
    untaken = exists().where(
        CommitmentRequestRow.delivery_key == DeliveryRow.delivery_key,
        CommitmentRequestRow.transaction_uid == DeliveryRow.transaction_uid,
        ~CommitmentRequestRow.taken,
    )
    unanswered = and_(untaken, DeliveryRow.requested_s < now_s - answer_s)
    return or_(DeliveryRow.requested_s < now_s - wait_s, unanswered)


def _sent(session: Session, destination: str, condition: ColumnElement[bool]) -> tuple[str, ...]:
    query = (
        select(DeliveryRow.sop_instance_uid)
        .where(DeliveryRow.destination == destination, DeliveryRow.status == DeliveryStatus.SENT, condition)
        .order_by(DeliveryRow.sent_s)
    )
    return tuple(session.scalars(query))


def _open_transaction(index: Index, remote: Remote, results: Sequence[Result], transaction_uid: str) -> list[Result]:
    """Enter the transaction in the rows of results that await commitment; gives those results."""
    now_s, by_uid = time.time(), {result.sop_instance_uid: result for result in results}
    due = or_(DeliveryRow.requested_s.is_(None), _is_overdue(remote, now_s))
    with index.transaction() as session:
        uids = [uid for uid in _sent(session, remote.name, due) if uid in by_uid]
        for uid in uids:
            row = delivery(session, uid, remote.name)
            assert row is not None
            if row.requested_s is not None and row.requested_s < now_s - remote.peer.commitment_wait_s:
                row.reason = NO_REPORT
            row.transaction_uid, row.requested_s = transaction_uid, now_s
            session.add(
                CommitmentRequestRow(transaction_uid=transaction_uid, delivery_key=row.delivery_key, requested_s=now_s)
            )
    return [by_uid[uid] for uid in uids]


def _note_taken(index: Index, transaction_uid: str) -> None:
    """Note that the destination will report."""
    mine = CommitmentRequestRow.transaction_uid == transaction_uid
    with index.transaction() as session:
        session.execute(update(CommitmentRequestRow).where(mine).values(taken=True))


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
