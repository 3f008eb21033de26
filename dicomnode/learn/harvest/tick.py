"""Labels come in: what the engine calls at every tick, and the heavier part that it leaves to a chore."""

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import structlog
from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.tables import Config
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.element_text import MALFORMED
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import StudyRow
from dicomnode.learn.harvest.attaching import arrived, attach, is_in_doubt, look_again
from dicomnode.learn.harvest.corrections import read_reader_reports
from dicomnode.learn.harvest.documents import DOCUMENTS, Site, labels_of
from dicomnode.learn.harvest.labels import follow_retractions
from dicomnode.learn.harvest.meanings import Meanings, meanings_of
from dicomnode.learn.harvest.objects import Taken, Waiting, changed_since, is_replaced, keep, waiting_objects
from dicomnode.learn.harvest.patients import key_patients
from dicomnode.learn.harvest.revised import refuse_revised, revised_images
from dicomnode.learn.reports.from_sr import harvest_text_reports, labels_of_text_sr
from dicomnode.learn.reports.text_sr import is_written
from dicomnode.volume.read import quiet

log = structlog.get_logger()

BROKEN = (*MALFORMED, NodeError, zlib.error)
"""What reading an object from outside may raise."""
REPLACED = "a newer document that replaces it came before it"


def harvest(index: Index, config: Config, since_s: float = 0.0) -> int:
    """Take what readers left in studies that changed since; how many labels are new.

    Readers' findings are linked with ours whether or not the node learns. Segmentations and structure sets are left to
    `drawings.harvest_drawing`.
    """
    read_reader_reports(index, config.node.state, since_s)
    if not config.learn.enabled:
        return 0
    new = harvest_documents(index, config, since_s) + harvest_text_reports(index, config, since_s)
    try:
        if _is_due(index, config.node.state, since_s):
            settle(index, config, since_s)
    except NodeError as fault:  # a lost split key stops learning, never the analyses
        log.error("label.unsettled", reason=str(fault))
    return new


def harvest_documents(index: Index, config: Config, since_s: float = 0.0) -> int:
    """Look at reports and Key Objects that nobody has looked at."""
    with index.snapshot() as session:
        which = changed_since(since_s)
        found = waiting_objects(session, config.node.state, DOCUMENTS, config.learn.sources, which)
    meanings = cache(lambda: _told(meanings_of(config)))
    return sum(_taken(index, config, meanings, waiting) for waiting in found)


def settle(index: Index, config: Config, since_s: float = 0.0) -> None:
    """Attach what waited, compare anew, withdraw what was retracted, refuse what fits no longer, note whose it is."""
    with index.snapshot() as session:
        revised = revised_images(session, since_s)
    with index.transaction() as session:
        attached = attach(session, config.node.state)
        moved = look_again(session, config.node.state, since_s)
        retracted = follow_retractions(session, since_s)
        key_patients(session, config.node.state, since_s)
        refused = refuse_revised(session, config.node.state, revised)
    if attached or moved or retracted or refused:
        log.info("label.settled", attached=attached, moved=moved, retracted=retracted, refused=refused)


def _is_due(index: Index, state: Path, since_s: float) -> bool:
    """Whether there is a label whose study has come or changed, or whose patient is not known yet."""
    here = select(LabelRow).join(StudyRow).where(StudyRow.state != "held")
    nameless, changed = here.where(LabelRow.patient == ""), here.where(StudyRow.last_received_s >= since_s)
    with index.snapshot() as session:
        found = any(session.scalars(query.limit(1)).first() for query in (nameless, changed, arrived()))
        return found or is_in_doubt(session, state, since_s)


def _taken(index: Index, config: Config, meanings: Callable[[], Meanings], waiting: Waiting) -> int:
    with index.snapshot() as session:
        taken = _looked_at(session, config, meanings, waiting)
    with index.transaction() as session:
        new = keep(session, config.node.state, waiting, taken)
    log.info("label.harvested", study=waiting.study_key, object=waiting.instance_key, labels=new, reason=taken.reason)
    return new


def _looked_at(session: Session, config: Config, meanings: Callable[[], Meanings], waiting: Waiting) -> Taken:
    """What a document says: by its codes, or by its text where it holds nothing else."""
    if is_replaced(session, waiting):
        return Taken(reason=REPLACED)
    try:
        with quiet():
            document = dcmread(waiting.path, stop_before_pixels=True)
            if is_written(document):
                return labels_of_text_sr(session, waiting, document, config.learn)
            return labels_of(Site(session, config.node.state, meanings()), waiting, document)
    except BROKEN as fault:
        log.error("label.unreadable", object=waiting.instance_key, reason=type(fault).__name__)
        return Taken(reason=f"it could not be read ({type(fault).__name__})")


def _told(meanings: Meanings) -> Meanings:
    for fault in meanings.faults:
        log.warning("label.map", reason=fault)
    return meanings
