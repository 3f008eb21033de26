"""Labels from what readers drew: segmentations and structure sets, laid on the grid of their images to the voxel.

What cannot be used is kept as a refused label with the reason in words, so that a person sees it. A drawing that came
before its images is looked at again when they are here.
"""

import time
from pathlib import Path

import structlog
from pydicom import Dataset, dcmread
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from dicomnode.config.tables import Config
from dicomnode.encode.door.items import groups, tracking_of
from dicomnode.errors import SeriesRefused
from dicomnode.index.database import Index
from dicomnode.index.headers import header_of
from dicomnode.index.schema import InstanceRow
from dicomnode.index.studies import load_study
from dicomnode.learn.harvest import segmentations, structure_sets
from dicomnode.learn.harvest.corrections import our_documents
from dicomnode.learn.harvest.drawing_labels import DRAWINGS, Drawing, labels_of
from dicomnode.learn.harvest.meanings import meanings_of
from dicomnode.learn.harvest.objects import (
    Taken,
    Waiting,
    changed_since,
    is_replaced,
    keep,
    referenced_uids,
    waiting_objects,
)
from dicomnode.learn.harvest.seen import names_ours
from dicomnode.learn.harvest.structure_sets import RT_STRUCTURE_SET
from dicomnode.learn.harvest.tick import BROKEN, REPLACED, settle
from dicomnode.learn.values import Source
from dicomnode.values import Instance, Study
from dicomnode.volume.read import quiet

log = structlog.get_logger()


def drawings_to_read(session: Session, config: Config, since_s: float = 0.0) -> list[Waiting]:
    """Drawings that nobody has looked at, in studies that changed since."""
    return _waiting(session, config, changed_since(since_s))


def harvest_drawing(index: Index, config: Config, moment: str) -> None:
    """Look at one drawing, by `Waiting.moment`. Safe to repeat."""
    with index.snapshot() as session:
        found = _waiting(session, config, InstanceRow.sop_instance_uid == moment.split(":")[0])
    for waiting in found:
        taken = _looked_at(index, config, waiting)
        with index.transaction() as session:
            keep(session, config.node.state, waiting, taken)
        log.info("label.harvested", study=waiting.study_key, object=waiting.instance_key, reason=taken.reason)
    settle(index, config, time.time())


def _waiting(session: Session, config: Config, which: ColumnElement[bool]) -> list[Waiting]:
    if not config.learn.enabled:
        return []
    return waiting_objects(session, config.node.state, DRAWINGS, config.learn.sources, which)


def _looked_at(index: Index, config: Config, waiting: Waiting) -> Taken:
    with index.snapshot() as session:
        if is_replaced(session, waiting):
            return Taken(reason=REPLACED)
        study = load_study(session, config.node.state, waiting.study_key)
    try:
        with quiet():
            drawing = opened_drawing(waiting, study)
            with index.snapshot() as session:
                aided = _is_aided(session, config.node.state, drawing)
            return labels_of(drawing, meanings_of(config), config.node.state, assisted=aided)
    except (*BROKEN, MemoryError) as fault:
        log.error("label.unreadable", object=waiting.instance_key, reason=type(fault).__name__)
        words = str(fault) if isinstance(fault, SeriesRefused) else type(fault).__name__
        return Taken(reason=f"it could not be read ({words})")


def opened_drawing(waiting: Waiting, study: Study) -> Drawing:
    """A drawing with its parts, and how to lay it on a grid."""
    document = dcmread(waiting.path, stop_before_pixels=True)
    if str(document.get("SOPClassUID", "")) == RT_STRUCTURE_SET:
        room, source = structure_sets, Source.RTSTRUCT
        return Drawing(
            waiting, document, tuple(room.parts_of(document)), room.creator_of(document), source, study,
            lambda grid: structure_sets.masks_of(document, grid),
        )  # fmt: skip
    instance = _instance(waiting, document)
    return Drawing(
        waiting, document, tuple(segmentations.parts_of(document)), segmentations.creator_of(document), Source.SEG,
        study, lambda grid: segmentations.masks_of(instance, grid),
    )  # fmt: skip


def _is_aided(session: Session, state: Path, drawing: Drawing) -> bool:
    """Whether a drawing refers to an object of ours, or one of its parts carries a tracking UID of our reports."""
    if names_ours(session, referenced_uids(drawing.document)):
        return True
    tracked = {part.tracking_uid for part in drawing.parts} - {""}
    ours = our_documents(session, state, drawing.waiting.study_uid) if tracked else []
    return any(tracking_of(group)[1] in tracked for document in ours for group in groups(document))


def _instance(waiting: Waiting, document: Dataset) -> Instance:
    """The drawing itself, as `volume` opens stored instances."""
    return Instance(
        instance_key=waiting.instance_key,
        sop_instance_uid=waiting.sop_instance_uid,
        sop_class_uid=str(document.get("SOPClassUID", "")),
        series_uid=str(document.get("SeriesInstanceUID", "")),
        study_uid=waiting.study_uid,
        transfer_syntax_uid=str(document.file_meta.TransferSyntaxUID),
        content_digest=waiting.content_digest,
        path=waiting.path,
        header=header_of(document),
    )
