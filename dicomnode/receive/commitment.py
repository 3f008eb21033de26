"""Storage Commitment (PS3.4 Annex J): what peers ask of us, and what they answer to our own requests.

As SCP we note the request durably, answer it at once, and report on an association of our own when
`answer_duties` is called next. As SCU we accept the peer's report on an association that the peer opens with the
roles reversed.
"""

import time
from collections.abc import Callable

import structlog
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.config.tables import Config, Peer
from dicomnode.index.database import Index
from dicomnode.index.schema import CommitmentDutyRow
from dicomnode.receive.refusals import Refusals

OnReport = Callable[[str, list[tuple[str, str]], list[tuple[str, str, int]]], None]
"""Called with transaction UID, committed (class, instance) and failed (class, instance, reason)."""

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_INSTANCE = 0x0112
INVALID_ARGUMENT = 0x0115
NO_SUCH_ACTION = 0x0123
NOT_AUTHORISED = 0x0124
MOST_REFERENCES = 50_000

log = structlog.get_logger()


class Duties:
    """Commitment requests of peers."""

    def __init__(self, config: Config, index: Index, refusals: Refusals) -> None:
        self._config, self._index, self._refusals = config, index, refusals

    def on_action(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """Note a request (N-ACTION, PS3.4 J.3.2); the report follows on an association of ours."""
        peer_ae = str(event.assoc.requestor.ae_title).strip()
        status, reason = self._noted(event, peer_ae)
        if status != SUCCESS:
            address = str(event.assoc.requestor.address)
            self._refusals.record(peer_ae, address, status=f"{status:04X}", reason=f"commitment request: {reason}")
        return status, None

    def _noted(self, event: evt.Event, peer_ae: str) -> tuple[int, str]:
        if event.action_type != 1:
            return NO_SUCH_ACTION, "no such action"
        if event.request.RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return NO_SUCH_INSTANCE, "not the well-known instance"
        if peer_of(self._config, peer_ae) is None:
            return NOT_AUTHORISED, f"no [peers] entry with AE title {peer_ae} to report to"
        try:
            transaction_uid, references = asked(event.action_information)
        except (AttributeError, ValueError, TypeError) as fault:
            return INVALID_ARGUMENT, f"cannot be read ({type(fault).__name__})"
        return self._kept(transaction_uid, references, peer_ae, str(event.assoc.requestor.address))

    def _kept(self, transaction_uid: str, references: list[list[str]], peer_ae: str, host: str) -> tuple[int, str]:
        row = CommitmentDutyRow(
            transaction_uid=transaction_uid,
            peer_ae=peer_ae,
            peer_host=host,
            references=references,
            asked_s=time.time(),
        )
        try:
            with self._index.transaction() as session:
                session.merge(row)
        except SQLAlchemyError as fault:
            return PROCESSING_FAILURE, f"the index could not be written ({type(fault).__name__})"
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


def peer_of(config: Config, ae_title: str) -> Peer | None:
    """The configured peer of an AE title."""
    return next((peer for peer in config.peers.values() if peer.ae_title == ae_title), None)


def on_event_report(event: evt.Event, on_report: OnReport) -> tuple[int, Dataset | None]:
    """Take a peer's report on a request of ours (N-EVENT-REPORT, PS3.4 J.3.3)."""
    if event.request.AffectedSOPClassUID != StorageCommitmentPushModel:
        return NO_SUCH_INSTANCE, None
    try:
        information = event.event_information
        transaction_uid = str(information.TransactionUID)
        committed = [_pair(item) for item in information.get("ReferencedSOPSequence") or ()]
        failed = [
            (*_pair(item), int(item.get("FailureReason") or PROCESSING_FAILURE))
            for item in information.get("FailedSOPSequence") or ()
        ]
    except (AttributeError, ValueError, TypeError):
        return INVALID_ARGUMENT, None
    try:
        on_report(transaction_uid, committed, failed)
    except SQLAlchemyError as fault:
        log.error("commitment.report_not_kept", transaction_uid=transaction_uid, fault=type(fault).__name__)
        return PROCESSING_FAILURE, None
    return SUCCESS, None


def _pair(item: Dataset) -> tuple[str, str]:
    return str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)
