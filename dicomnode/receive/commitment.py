"""Storage Commitment as SCP (PS3.4 Annex J): a peer asks whether we keep what it sent.

The request is noted durably and answered at once; the report goes out on an association of ours, with the roles
reversed, when `answer_duties` is called next, and again until the peer has taken it.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import structlog
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import build_context, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dicomnode.config.tables import Config
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.schema import CommitmentDutyRow, InstanceRow
from dicomnode.peers.associate import association
from dicomnode.peers.remote import Remote, remote
from dicomnode.peers.statuses import answered, failure
from dicomnode.receive.refusals import Refusals

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_INSTANCE = 0x0112
INVALID_ARGUMENT = 0x0115
CLASS_CONFLICT = 0x0119
NO_SUCH_ACTION = 0x0123
NOT_AUTHORISED = 0x0124
REQUEST = 1
"""Action type of a request (PS3.4 J.3.2)."""
ALL_KEPT, SOME_FAILED = 1, 2
"""Event types of a report (PS3.4 J.3.3)."""
MOST_REFERENCES = 50_000
DAY_S = 86400.0

Failures = list[tuple[str, str, int]]
"""SOP class, SOP instance, Failure Reason (0008,1197)."""

log = structlog.get_logger()


class Duties:
    """Takes the commitment requests of peers."""

    def __init__(self, config: Config, index: Index, refusals: Refusals) -> None:
        self._config, self._index, self._refusals = config, index, refusals

    def on_action(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """Answer an N-ACTION: Success once the request is noted."""
        peer_ae = str(event.assoc.requestor.ae_title).strip()
        status, reason = self._noted(event, peer_ae)
        if status != SUCCESS:
            address = str(event.assoc.requestor.address)
            self._refusals.record(peer_ae, address, status=f"{status:04X}", reason=f"commitment request: {reason}")
        return status, None

    def _noted(self, event: evt.Event, peer_ae: str) -> tuple[int, str]:
        if event.action_type != REQUEST:
            return NO_SUCH_ACTION, "no such action"
        if event.request.RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return NO_SUCH_INSTANCE, "not the well-known instance"
        if peer_name(self._config, peer_ae) is None:
            return NOT_AUTHORISED, f"no [peers] entry with AE title {peer_ae} to report to"
        try:
            transaction_uid, references = asked(event.action_information)
        except (AttributeError, ValueError, TypeError) as fault:
            return INVALID_ARGUMENT, f"cannot be read ({type(fault).__name__})"
        row = CommitmentDutyRow(transaction_uid=transaction_uid, peer_ae=peer_ae, references=references)
        row.peer_host, row.asked_s = str(event.assoc.requestor.address), time.time()
        return self._kept(row)

    def _kept(self, row: CommitmentDutyRow) -> tuple[int, str]:
        try:
            with self._index.transaction() as session:
                session.merge(row)
        except SQLAlchemyError as fault:
            return PROCESSING_FAILURE, f"the index could not be written ({type(fault).__name__})"
        log.info("commitment.asked", peer=row.peer_ae, transaction=row.transaction_uid, instances=len(row.references))
        return SUCCESS, ""


def asked(information: Dataset) -> tuple[str, list[list[str]]]:
    """Transaction UID and [class, instance] pairs of a commitment request.

    Raises:
        AttributeError: a part is missing.
        ValueError: a UID is not valid, or there are too many references.
    """
    transaction_uid = str(information.TransactionUID)
    references = [
        [str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)]
        for item in information.ReferencedSOPSequence
    ]
    uids = [transaction_uid, *(uid for pair in references for uid in pair)]
    if len(references) > MOST_REFERENCES or not all(len(uid) <= 64 and UID(uid).is_valid for uid in uids):
        raise ValueError("references cannot be used")
    return transaction_uid, references


def peer_name(config: Config, ae_title: str) -> str | None:
    """Name of the configured peer that has an AE title."""
    return next((name for name, peer in config.peers.items() if peer.ae_title == ae_title), None)


def answer_duties(index: Index, config: Config) -> int:
    """Send every commitment report that is due; the number that were taken. Called now and then by the engine.

    A peer that does not take one is left alone until the next time, so that it holds up no other.
    """
    with index.snapshot() as session:
        owed = session.scalars(select(CommitmentDutyRow).where(CommitmentDutyRow.answered_s.is_(None))).all()
    taken, away = 0, set[str]()
    for duty in owed:
        if duty.peer_ae not in away and _is_due(duty, config):
            if _answer(index, config, duty):
                taken += 1
            else:
                away.add(duty.peer_ae)
    return taken


def kept_and_failed(session: Session, state: Path, references: Sequence[Sequence[str]]) -> tuple[list[str], Failures]:
    """Which references we keep, on disk and indexed, and which not, with the reason (PS3.3 C.14.1.1)."""
    kept: list[str] = []
    failures: Failures = []
    for sop_class_uid, sop_instance_uid in references:
        reason = _failure_reason(session, state, sop_class_uid, sop_instance_uid)
        if reason:
            failures.append((sop_class_uid, sop_instance_uid, reason))
        else:
            kept.append(sop_instance_uid)
    return kept, failures


def _failure_reason(session: Session, state: Path, sop_class_uid: str, sop_instance_uid: str) -> int:
    rows = session.scalars(
        select(InstanceRow).where(InstanceRow.sop_instance_uid == sop_instance_uid, InstanceRow.current)
    ).all()
    if not rows:
        return NO_SUCH_INSTANCE
    if not any(row.sop_class_uid == sop_class_uid for row in rows):
        return CLASS_CONFLICT
    return SUCCESS if all(_is_whole(state / row.file, row.size_bytes) for row in rows) else PROCESSING_FAILURE


def _is_whole(file: Path, size_bytes: int) -> bool:
    try:
        return file.stat().st_size == size_bytes
    except OSError:
        return False


def _is_due(duty: CommitmentDutyRow, config: Config) -> bool:
    """Each wait is twice the one before; the first report is due at once."""
    waited_s = config.deliver.first_retry_s * (2.0**duty.attempts - 1)
    return time.time() >= duty.asked_s + min(waited_s, duty.attempts * config.deliver.max_retry_s)


def _answer(index: Index, config: Config, duty: CommitmentDutyRow) -> bool:
    name = peer_name(config, duty.peer_ae)
    if name is None or time.time() - duty.asked_s > config.deliver.give_up_days * DAY_S:
        log.error("commitment.report_given_up", peer=duty.peer_ae, transaction=duty.transaction_uid)
        _note(index, duty, done=True)
        return False
    with index.snapshot() as session:
        _, failures = kept_and_failed(session, config.node.state, duty.references)
    try:
        _report(remote(config, name), duty, failures)
    except NodeError as fault:
        log.warning("commitment.report_not_taken", peer=name, transaction=duty.transaction_uid, reason=str(fault))
        _note(index, duty, done=False)
        return False
    log.info("commitment.reported_to_peer", peer=name, transaction=duty.transaction_uid, failed=len(failures))
    _note(index, duty, done=True)
    return True


def _report(peer: Remote, duty: CommitmentDutyRow, failures: Failures) -> None:
    contexts = [build_context(StorageCommitmentPushModel)]
    roles = [build_role(StorageCommitmentPushModel, scp_role=True)]
    event_type = SOME_FAILED if failures else ALL_KEPT
    with association(peer, contexts, roles=roles) as opened:
        answer, _ = opened.send_n_event_report(
            report(duty, failures), event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        if answered(answer, peer, "the commitment report") != SUCCESS:
            raise failure(answer, peer, "the commitment report")


def report(duty: CommitmentDutyRow, failures: Failures) -> Dataset:
    """The Event Information of a report (PS3.4 Table J.3.3-1)."""
    reasons = {sop_instance_uid: reason for _, sop_instance_uid, reason in failures}
    information = Dataset()
    information.TransactionUID = duty.transaction_uid
    kept = [_item(pair) for pair in duty.references if pair[1] not in reasons]
    failed = [_item(pair, reasons[pair[1]]) for pair in duty.references if pair[1] in reasons]
    if kept:
        information.ReferencedSOPSequence = kept
    if failed:
        information.FailedSOPSequence = failed
    return information


def _item(pair: Sequence[str], reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = pair
    if reason is not None:
        item.FailureReason = reason
    return item


def _note(index: Index, duty: CommitmentDutyRow, *, done: bool) -> None:
    with index.transaction() as session:
        row = session.get(CommitmentDutyRow, duty.transaction_uid)
        if row is not None:
            row.attempts += 1
            row.answered_s = time.time() if done else None
