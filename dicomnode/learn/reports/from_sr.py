"""Written reports in the archive become labels, where a person made them and their sender counts as a source."""

import zlib

import structlog
from pydicom import Dataset, dcmread
from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn
from dicomnode.config.tables import Config
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.index.element_text import MALFORMED
from dicomnode.learn.harvest.objects import (
    Taken,
    Waiting,
    changed_since,
    is_replaced,
    keep,
    made_s,
    predecessors,
    referenced_elsewhere,
    referenced_uids,
    waiting_objects,
)
from dicomnode.learn.harvest.reader_report import read_report
from dicomnode.learn.harvest.seen import names_ours
from dicomnode.learn.reports.hl7.message import LONGEST_TEXT
from dicomnode.learn.reports.labels import Report, report_labels
from dicomnode.learn.reports.text_sr import BASIC_TEXT, report_text
from dicomnode.volume.read import quiet

log = structlog.get_logger()

BROKEN = (*MALFORMED, NodeError, zlib.error)
"""What reading an object from outside may raise."""
NO_PERSON = "neither its observer nor who verified it is a person"
NO_TEXT = "it holds no text"
ELSEWHERE = "it speaks of images of another study"
NOTHING_MAPPED = "none of what it says is mapped to an output of a model ([[learn.map]])"


def harvest_text_reports(index: Index, config: Config, since_s: float = 0.0) -> int:
    """Look at Basic Text SRs that nobody has looked at; how many labels are new.

    Written reports of other classes are told from coded ones by their content, in `harvest.tick`.
    """
    with index.snapshot() as session:
        which = changed_since(since_s)
        found = waiting_objects(session, config.node.state, (BASIC_TEXT,), config.learn.sources, which)
    return sum(_taken(index, config, waiting) for waiting in found)


def labels_of_text_sr(session: Session, waiting: Waiting, document: Dataset, learn: Learn) -> Taken:
    """What a text report says of the outputs of our models."""
    text = report_text(document)
    if not _is_by_person(document):
        return Taken(reason=NO_PERSON)
    if referenced_elsewhere(document, waiting.study_uid):
        return Taken(reason=ELSEWHERE)
    if text is None or len(text) > LONGEST_TEXT:
        return Taken(reason=NO_TEXT)
    report = Report(
        text=text,
        object_uid=waiting.sop_instance_uid,
        object_digest=waiting.content_digest,
        made_s=made_s(document, waiting.received_s),
        study_uid=waiting.study_uid,
        assisted=names_ours(session, referenced_uids(document)) or None,
    )
    return Taken(report_labels(session, report, learn), NOTHING_MAPPED, replaces=predecessors(document))


def _taken(index: Index, config: Config, waiting: Waiting) -> int:
    with index.transaction() as session:
        taken = _looked_at(session, config.learn, waiting)
        new = keep(session, config.node.state, waiting, taken)
    log.info("label.harvested", study=waiting.study_key, object=waiting.instance_key, labels=new, reason=taken.reason)
    return new


def _looked_at(session: Session, learn: Learn, waiting: Waiting) -> Taken:
    if is_replaced(session, waiting):
        return Taken(reason="a newer document that replaces it came before it")
    try:
        with quiet():
            return labels_of_text_sr(session, waiting, dcmread(waiting.path, stop_before_pixels=True), learn)
    except BROKEN as fault:
        log.error("label.unreadable", object=waiting.instance_key, reason=type(fault).__name__)
        return Taken(reason=f"it could not be read ({type(fault).__name__})")


def _is_by_person(document: Dataset) -> bool:
    """By its observer context (TID 1002), else by who verified or wrote it (PS3.3 C.17.2)."""
    if read_report(document).is_by_person:
        return True
    verified = str(document.get("VerificationFlag", "")) == "VERIFIED" and document.get("VerifyingObserverSequence")
    authors = document.get("AuthorObserverSequence") or ()
    return bool(verified) or any(str(one.get("ObserverType", "")) == "PSN" for one in authors)
