"""One attempt to store results at one destination, and what came of it, told to the index.

When another attempt is due, and when to give up, is the caller's to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicomnode.deliver.fallback import can_fall_back, fallback_of, fallback_uid
from dicomnode.deliver.ledger import DELIVERED, delivery, note_failure, note_stored
from dicomnode.deliver.outbox import add_deliveries, add_result, load_result, place_result, read_unchanged
from dicomnode.deliver.store import contexts_for, is_accepted, store
from dicomnode.errors import NodeError, Permanent
from dicomnode.index.database import Index
from dicomnode.index.schema import ResultRow
from dicomnode.peers.associate import association
from dicomnode.peers.remote import Remote
from dicomnode.values import DeliveryStatus, Result

log = structlog.get_logger()


class Withdrawn(Permanent):
    """Its images were rejected or corrected before it was sent."""

    def __init__(self) -> None:
        super().__init__("the result was withdrawn before it was sent")


@dataclass(frozen=True)
class Sent:
    """One result that its destination has."""

    result: Result
    """As sent: the result itself, or its fallback."""
    status: DeliveryStatus
    """SENT where a commitment is to follow, else STORED; COMMITTED where it was delivered long before."""
    remark: str = ""
    """The destination's warning, in words."""


@dataclass(frozen=True)
class Sender:
    """What every attempt at one destination needs."""

    index: Index
    state: Path
    remote: Remote


def send(sender: Sender, result: Result) -> Sent:
    """Store one result at a destination, or say why not; what it has already is not sent again.

    Raises:
        PeerUnavailable: no association, aborted, or out of resources (A7xx): try again later.
        PeerRefused: refused at negotiation, or by a failure status (A9xx, Cxxx, 01xx): a person must act.
        OutboxDamaged: the result is not what was written.
    """
    (outcome,) = send_many(sender, [result])
    if isinstance(outcome, NodeError):
        raise outcome
    return outcome


def send_many(sender: Sender, results: Sequence[Result]) -> tuple[Sent | NodeError, ...]:
    """Store results at a destination over one association.

    Returns:
        What came of each result, in their order.
    """
    outcomes: dict[str, Sent | NodeError] = {}
    waiting: dict[str, Result] = {}
    for result in results:
        outcome = _prepared(sender, result)
        if isinstance(outcome, Result):
            waiting[result.sop_instance_uid] = outcome
        else:
            outcomes[result.sop_instance_uid] = outcome
    outcomes |= _send_waiting(sender, waiting) if waiting else {}
    return tuple(outcomes[result.sop_instance_uid] for result in results)


def _send_waiting(sender: Sender, waiting: dict[str, Result]) -> dict[str, Sent | NodeError]:
    outcomes: dict[str, Sent | NodeError] = {}
    try:
        with association(sender.remote, _contexts(waiting.values())) as opened:
            for uid, result in waiting.items():
                outcomes[uid] = _attempt(sender, opened, result)
    except NodeError as fault:
        for uid in waiting.keys() - outcomes.keys():
            outcomes[uid] = _failed(sender, waiting[uid], fault)
    return outcomes


def _prepared(sender: Sender, result: Result) -> Result | Sent | NodeError:
    """What to send for a result: itself, or the fallback this destination was given before; or why not.

    The attempt counts from here on: whoever withdraws the result then knows that the destination may have it.
    """
    with sender.index.transaction() as session:
        uid = result.sop_instance_uid
        row = delivery(session, fallback_uid(uid), sender.remote.name, lock=True)
        if row is not None:
            result = load_result(session, sender.state, row.sop_instance_uid)
        else:
            add_deliveries(session, uid, [sender.remote.name])
            row = delivery(session, uid, sender.remote.name, lock=True)
        assert row is not None
        if row.status in DELIVERED:
            return Sent(result, DeliveryStatus(row.status), row.reason)
        if row.status == DeliveryStatus.WITHDRAWN:
            return Withdrawn()
        row.attempts += 1
    try:
        read_unchanged(result)
    except NodeError as fault:
        return _failed(sender, result, fault)
    return result


def _contexts(results: Iterable[Result]) -> list[PresentationContext]:
    """Exactly what these results need, the class of their fallback included where that is legal."""
    needed: dict[tuple[str, str], None] = {}
    for result in results:
        needed[result.sop_class_uid, result.transfer_syntax_uid] = None
        if _has_fallback(result):
            needed[ComprehensiveSRStorage, result.transfer_syntax_uid] = None
    proposed = {
        (str(context.abstract_syntax), str(context.transfer_syntax[0])): context
        for sop_class, syntax in needed
        for context in contexts_for(sop_class, syntax)
    }
    return list(proposed.values())


def _attempt(sender: Sender, opened: Association, result: Result) -> Sent | NodeError:
    remote = sender.remote
    accepted = _accepted(sender, opened, result)
    try:
        remark = store(opened, remote, accepted)
    except NodeError as fault:
        return _failed(sender, accepted, fault)
    status = DeliveryStatus.SENT if remote.peer.commitment else DeliveryStatus.STORED
    note_stored(sender.index, accepted.sop_instance_uid, remote.name, status, remark)
    log.info("delivery.stored", result=accepted.sop_instance_uid, destination=remote.name, remark=remark)
    return Sent(accepted, status, remark)


def _accepted(sender: Sender, opened: Association, result: Result) -> Result:
    """The result, or its fallback where the destination takes that alone."""
    syntax = result.transfer_syntax_uid
    if is_accepted(opened, result.sop_class_uid, syntax) or not is_accepted(opened, ComprehensiveSRStorage, syntax):
        return result
    return _fall_back(sender, result) if _has_fallback(result) else result


def _has_fallback(result: Result) -> bool:
    return result.sop_class_uid == Comprehensive3DSRStorage and can_fall_back(read_unchanged(result))


def _fall_back(sender: Sender, result: Result) -> Result:
    """The fallback of a result, in the outbox and in its place at this destination from now on."""
    content = read_unchanged(result)
    with sender.index.transaction() as session:
        copy = fallback_of(content, lambda uid: session.get(ResultRow, uid) is not None)
        fallback = place_result(sender.state, result.run_key, copy)
        add_result(session, sender.state, fallback)
        row = delivery(session, result.sop_instance_uid, sender.remote.name)
        if row is not None:
            row.sop_instance_uid = fallback.sop_instance_uid
    log.warning("delivery.fallback", result=result.sop_instance_uid, destination=sender.remote.name)
    return fallback


def _failed(sender: Sender, result: Result, fault: NodeError) -> NodeError:
    """Note a failed attempt; the peer's own comment goes to the index alone, since it may name a patient."""
    comment = getattr(fault, "comment", "")
    reason = f"{fault}: {comment!r}" if comment else str(fault)
    note_failure(sender.index, result.sop_instance_uid, sender.remote.name, reason)
    log.warning("delivery.failed", result=result.sop_instance_uid, destination=sender.remote.name, reason=str(fault))
    return fault
