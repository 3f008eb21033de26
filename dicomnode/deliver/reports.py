"""Commitment reports (PS3.4 J.3.3): what a destination says of a request of ours, entered in the index.

A report may come at once, days later, twice, or to a request that has been repeated since: each transaction stays
known for as long as its results are.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from pydicom.dataset import Dataset
from sqlalchemy import select

from dicomnode.index.database import Index
from dicomnode.index.schema import CommitmentRequestRow, DeliveryRow, ResultRow
from dicomnode.peers.statuses import SUCCESS
from dicomnode.values import DeliveryStatus

log = structlog.get_logger()

UNKNOWN_TRANSACTION = 0x0115
"""Invalid argument value: what a report for a transaction that we did not ask for is answered (PS3.7 10.1.1.1.8)."""

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
        query = select(DeliveryRow, CommitmentRequestRow, ResultRow.created_s).join(CommitmentRequestRow)
        query = query.join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        rows = session.execute(query.where(CommitmentRequestRow.transaction_uid == transaction_uid)).all()
        for row, request, created_s in rows:
            if row.sop_instance_uid in committed:
                _commit(row, request, tally)
            elif row.sop_instance_uid in failed:
                reason = failed[row.sop_instance_uid]
                _fail(row, request, reason, tally, given_up=time.time() - created_s > GIVE_UP_S)
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


def _commit(row: DeliveryRow, request: CommitmentRequestRow, tally: _Tally) -> None:
    """A late "committed" counts, whatever was asked since, unless the result had to be sent again meanwhile."""
    sent_before = (row.sent_s or 0.0) <= request.requested_s
    if sent_before and row.status in (DeliveryStatus.SENT, DeliveryStatus.PARKED):
        row.status, row.committed_s, row.reason = DeliveryStatus.COMMITTED, time.time(), ""
        tally.committed.append(row.sop_instance_uid)


def _fail(row: DeliveryRow, request: CommitmentRequestRow, reason: int, tally: _Tally, *, given_up: bool) -> None:
    """A failure counts only while its request is the one that stands: the answer to a later one says more."""
    stands = row.transaction_uid == request.transaction_uid and row.requested_s is not None
    if not stands or row.status != DeliveryStatus.SENT:
        return
    parked = given_up or reason in FOR_GOOD
    row.status = DeliveryStatus.PARKED if parked else DeliveryStatus.QUEUED
    row.requested_s, row.queued_s = None, time.time() + _wait_s(row.attempts)
    row.reason = f"not committed: {REASONS.get(reason, 'for an unknown reason')} ({reason:04X})"
    (tally.parked if parked else tally.queued).append(row.sop_instance_uid)


def _wait_s(attempts: int) -> float:
    """Before a result that was not committed is sent again: a new round of deliveries, not at once."""
    return float(min(FIRST_WAIT_S * 2 ** min(max(attempts - 1, 0), 20), LONGEST_WAIT_S))
