"""Labels from what readers drew: segmentations and structure sets, laid on the grid of their images to the voxel.

What cannot be used is kept as a refused label with the reason in words, so that a person sees it. A drawing that came
before its images is looked at again when they are here.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import SegmentationStorage
from scipy.ndimage import find_objects, label
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from dicomnode.bundles.dicom_toml import DicomToml, Kind
from dicomnode.choose.series import choose_series
from dicomnode.config.tables import Config
from dicomnode.encode.door.items import groups, references, tracking_of
from dicomnode.errors import SeriesRefused
from dicomnode.index.database import Index
from dicomnode.index.headers import header_of, items_of
from dicomnode.index.schema import InstanceRow
from dicomnode.index.studies import load_study
from dicomnode.learn.harvest import segmentations, structure_sets
from dicomnode.learn.harvest.corrections import our_documents
from dicomnode.learn.harvest.documents import DOCUMENTS
from dicomnode.learn.harvest.drawn import write_boxes, write_mask
from dicomnode.learn.harvest.grid import DrawingRefused, SourceGrid, source_grid
from dicomnode.learn.harvest.labels import WHOLE, NewLabel
from dicomnode.learn.harvest.meanings import Meanings, meanings_of
from dicomnode.learn.harvest.objects import (
    Taken,
    Waiting,
    changed_since,
    is_replaced,
    keep,
    made_s,
    of_object,
    predecessors,
    referenced_uids,
    waiting_objects,
)
from dicomnode.learn.harvest.seen import names_ours
from dicomnode.learn.harvest.segmentations import Masks, Part
from dicomnode.learn.harvest.structure_sets import RT_STRUCTURE_SET
from dicomnode.learn.harvest.tick import BROKEN, REPLACED, settle
from dicomnode.learn.values import Source, What
from dicomnode.values import Instance, Series, Study
from dicomnode.volume.read import quiet

log = structlog.get_logger()

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage."""
SEGMENTATIONS = (str(SegmentationStorage), LABEL_MAP)
DRAWINGS = (*SEGMENTATIONS, RT_STRUCTURE_SET)
"""SOP classes read here."""
NO_IMAGES = (*DRAWINGS, *DOCUMENTS, "1.2.840.10008.3.1.2.3.1")
"""What a drawing may refer to beside its images; the last stands for a study (PS3.3 C.8.8.5)."""
NOBODY = "nobody is named as its creator"
DEVICE = "a device made it: every part of it is AUTOMATIC"
TOUCHING = np.ones((3, 3, 3))
"""Voxels of one lesion touch at a face, an edge or a corner."""


@dataclass(frozen=True)
class Drawing:
    """One drawing, opened."""

    waiting: Waiting
    document: Dataset
    """Without pixels."""
    parts: tuple[Part, ...]
    who: str
    source: Source
    study: Study
    masks: Callable[[SourceGrid], Masks]
    """Its parts on a grid."""


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
            keep(session, waiting, taken)
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
    except BROKEN as fault:
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


def labels_of(drawing: Drawing, meanings: Meanings, state: Path, *, assisted: bool) -> Taken:
    """What a drawing says of our models; a model that it cannot be used for has a refused label."""
    if not drawing.who:
        return Taken(reason=NOBODY)
    if not any(part.by_person for part in drawing.parts):
        return Taken(reason=DEVICE)
    meant = _meant(drawing.parts, meanings)
    if not meant:
        return Taken(reason="no part of it means an output of a model")
    labels, again = [], False
    for model, outputs in sorted(meant.items()):
        try:
            _require_usable(drawing, meanings, model, outputs)
            labels += _labels(drawing, meanings.models[model], model, outputs, state)
        except SeriesRefused as fault:
            again |= getattr(fault, "missing", False)
            labels.append(_label(drawing, model, refused=str(fault)))
    said = (replace(one, assisted=assisted or None) for one in labels)
    finished = tuple(of_object(one, drawing.waiting) for one in said)
    return Taken(finished, again=again, replaces=predecessors(drawing.document))


def _require_usable(drawing: Drawing, meanings: Meanings, model: str, outputs: dict[int, int]) -> None:
    """Everything that can be said against a drawing without its pixels."""
    one, other = drawing.waiting.patients
    if one and other and one != other:
        raise DrawingRefused("its Patient ID is not the study's")
    unknown = [part for part in drawing.parts if not _outputs(part, meanings)]
    if unknown:
        raise DrawingRefused(f"nothing says what {_named(unknown)} means: learn.map can")
    machine = [part for part in drawing.parts if part.number in outputs and not part.by_person]
    if machine:
        raise DrawingRefused(f"{_named(machine)} is AUTOMATIC: no person drew it")
    rules = meanings.models[model]
    missing = [one.label for one in rules.segments if not one.lesions and one.index not in outputs.values()]
    if missing:
        raise DrawingRefused(f"{', '.join(missing)} is not drawn, and a label map must show every structure of a model")


def _labels(drawing: Drawing, rules: DicomToml, model: str, outputs: dict[int, int], state: Path) -> list[NewLabel]:
    if rules.model.kind is Kind.CLASSIFICATION:
        return [_label(drawing, model, output=output, value=1.0) for output in sorted(set(outputs.values()))]
    grid = source_grid(_series(drawing, rules), rules.series)
    masks = drawing.masks(grid)
    if rules.model.kind is Kind.DETECTION:
        boxes, labels = boxes_of(masks, outputs)
        return [_label(drawing, model, what=What.BOXES, file=write_boxes(state, grid, boxes, labels), grid=grid)]
    return [_label(drawing, model, what=What.MASK, file=write_mask(state, grid, label_map(masks, outputs)), grid=grid)]


def _series(drawing: Drawing, rules: DicomToml) -> Series:
    """The images that a drawing was made on, as the model takes them.

    Raises:
        DrawingRefused: some are not here, they are of several series, or the model does not take them.
    """
    named = _source_images(drawing.document)
    wanted = _series_uids(drawing)
    held = [one for one in drawing.study.series if one.series_uid in wanted or _holds(one, named)]
    if not held:
        raise DrawingRefused("the images that it was drawn on are not in its study", missing=True)
    if len(held) > 1:
        raise DrawingRefused(f"it was drawn on {len(held)} series")
    (series,) = held
    lacking = named - {instance.sop_instance_uid for instance in series.instances}
    if lacking:
        raise DrawingRefused(f"{len(lacking)} of the images that it was drawn on are not here", missing=True)
    if rules.series.dimensions == 2 and named:
        series = Series(series.series_uid, tuple(i for i in series.instances if i.sop_instance_uid in named))
    choice = choose_series(Study(drawing.study.study_key, drawing.study.study_uid, (series,)), rules)
    if choice.series is None:
        reasons = "; ".join(reason for verdict in choice.verdicts for reason in verdict.reasons)
        raise DrawingRefused(f"the model does not take the series that it was drawn on: {reasons}")
    return choice.series


def label_map(masks: Masks, outputs: dict[int, int]) -> NDArray[np.uint8]:
    """All parts in one label map.

    Raises:
        DrawingRefused: two structures claim one voxel.
    """
    found = np.zeros(masks.grid.shape, dtype=np.uint8)
    for number, output in outputs.items():
        for at in masks.voxels.get(number, ()):
            where = tuple(at.T)
            if ((found[where] != 0) & (found[where] != output)).any():
                raise DrawingRefused("two of its structures claim the same voxel: a label map holds one")
            found[where] = output
    return found


def boxes_of(masks: Masks, outputs: dict[int, int]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A box around each lesion: each connected part of each mask."""
    boxes, labels = [], []
    for number, output in outputs.items():
        lesions, _ = label(masks.of(number), structure=TOUCHING)
        for box in find_objects(lesions):
            boxes.append([*(side.start for side in box), *(side.stop for side in box)])
            labels.append(output)
    return np.asarray(boxes, dtype=np.float32).reshape(-1, 6), np.asarray(labels, dtype=np.int64)


def _meant(parts: Iterable[Part], meanings: Meanings) -> dict[str, dict[int, int]]:
    """For each model the output of each part that means one."""
    found: dict[str, dict[int, int]] = {}
    for part in parts:
        for model, output in _outputs(part, meanings).items():
            found.setdefault(model, {})[part.number] = output
    return found


def _outputs(part: Part, meanings: Meanings) -> dict[str, int]:
    """What a part means: by its codes, and by its label, which tells more where a code is shared."""
    coded = {one.model: one.output for code in part.codes for one in meanings.of_code(code) if one.present}
    return coded | {one.model: one.output for one in meanings.of_words(part.label) if one.present}


def _label(  # noqa: PLR0913 - what differs between labels of one drawing
    drawing: Drawing,
    model: str,
    *,
    output: int = WHOLE,
    value: float | None = None,
    what: What | None = None,
    file: str = "",
    grid: SourceGrid | None = None,
    refused: str = "",
) -> NewLabel:
    drawn = What.PRESENCE if output != WHOLE else What.MASK
    return NewLabel(
        model=model, output=output, value=value, source=drawing.source, who=drawing.who,
        made_s=made_s(drawing.document, drawing.waiting.received_s), what=what or drawn, file=file,
        series_uid=grid.series_uid if grid else "", rule="drawn", refused=refused,
    )  # fmt: skip


def _named(parts: Iterable[Part]) -> str:
    return ", ".join(f"{part.number} {part.label!r}" for part in parts)


def _series_uids(drawing: Drawing) -> set[str]:
    if drawing.source is Source.RTSTRUCT:
        return set(structure_sets.series_uids(drawing.document))
    return {str(item.get("SeriesInstanceUID", "")) for item in items_of(drawing.document, "ReferencedSeriesSequence")}


def _source_images(document: Dataset) -> set[str]:
    """SOP Instance UIDs of the images that an object refers to; other drawings and documents are none."""
    return {uid for sop_class, uid in references(document) if sop_class not in NO_IMAGES}


def _holds(series: Series, uids: set[str]) -> bool:
    return any(instance.sop_instance_uid in uids for instance in series.instances)


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
