"""Results of images that the PACS rejected or corrected are taken back: by a rejection note, or by a person."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.tables import Config
from dicomnode.deliver.ledger import delivery
from dicomnode.deliver.outbox import add_deliveries, load_result, post
from dicomnode.encode.context import Encoded
from dicomnode.encode.rejection import Note, rejection_note
from dicomnode.encode.source import Sources, sources_of
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.runs import end
from dicomnode.index.schema import RunRow
from dicomnode.index.studies import load_study
from dicomnode.index.withdrawals import Withdrawal, mark_withdrawn, withdrawal_of
from dicomnode.stages import outbox_object
from dicomnode.values import DeliveryStatus, Result, Role, RunStatus

log = structlog.get_logger()

WITHDRAWN = "withdrawn: the images it read were rejected or corrected at the PACS"


def withdraw(index: Index, config: Config, run_key: str) -> None:
    """Take back the results of one run wherever they may be; safe to do again.

    A destination without rejection notes, or one that refuses them, is left to a person: `dicomnode status` lists it.
    """
    try:
        _withdraw(index, config, run_key)
    except NodeError as fault:
        log.error("run.not_withdrawn", run=run_key[:12], reason=str(fault))
        with index.transaction() as session:
            mark_withdrawn(session, run_key, WITHDRAWN)
            end(session, run_key, RunStatus.PARKED, f"{WITHDRAWN}; remove its results there by hand: {fault}")


def _withdraw(index: Index, config: Config, run_key: str) -> None:
    state = config.node.state
    with index.snapshot() as session:
        wanted = withdrawal_of(session, run_key)
        results = [load_result(session, state, uid) for uid in wanted.results]
        sources = _sources(session, config, run_key, results)
        made_at = datetime.fromtimestamp(session.get_one(RunRow, run_key).created_s).astimezone()
    if wanted.destinations:
        rejected = [dcmread(result.path, stop_before_pixels=True) for result in results]
        note = rejection_note(Note(run_key, wanted.code, rejected, made_at), sources, config.node)
        outgoing = outbox_object(Encoded(Role.REJECTION, note), Role.REJECTION)
        told = [name for name in wanted.destinations if _takes_notes(config, name)]
        post(index, state, run_key, told, [outgoing])
        _leave_to_a_person(index, wanted, outgoing.sop_instance_uid, told)
    with index.transaction() as session:
        mark_withdrawn(session, run_key, WITHDRAWN)
    log.warning("run.withdrawn", run=run_key[:12], results=len(results), destinations=len(wanted.destinations))


def _sources(session: Session, config: Config, run_key: str, results: Sequence[Result]) -> Sources:
    """Whose study it is now: an image that is left of it, or else a result."""
    study_key = session.scalars(select(RunRow.study_key).where(RunRow.run_key == run_key)).one()
    left = [i.path for series in load_study(session, config.node.state, study_key).series for i in series.instances]
    return sources_of([*left, *(result.path for result in results)][:1])


def _takes_notes(config: Config, name: str) -> bool:
    return name in config.peers and config.peers[name].rejection_notes


def _leave_to_a_person(index: Index, wanted: Withdrawal, note_uid: str, told: Sequence[str]) -> None:
    """Park the note for the destinations that are not told: `dicomnode status` lists it until a person has acted."""
    with index.transaction() as session:
        for name in (name for name in wanted.destinations if name not in told):
            add_deliveries(session, note_uid, [name])
            row = delivery(session, note_uid, name)
            if row is not None and row.status == DeliveryStatus.QUEUED:
                row.status = DeliveryStatus.PARKED
                row.reason = f"remove the AI results of study {wanted.study_uid} there, then `dicomnode dismiss`"
