"""What one drawing of a reader says of our models: masks for segmentations, boxes for detections."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import SegmentationStorage

from dicomnode.bundles.dicom_toml import DicomToml, Kind
from dicomnode.choose.series import choose_series
from dicomnode.encode.door.items import references
from dicomnode.errors import SeriesRefused
from dicomnode.index.headers import items_of
from dicomnode.learn.harvest import structure_sets
from dicomnode.learn.harvest.documents import DOCUMENTS
from dicomnode.learn.harvest.drawn import write_boxes, write_mask
from dicomnode.learn.harvest.grid import DrawingRefused, SourceGrid, source_grid
from dicomnode.learn.harvest.labels import WHOLE, NewLabel
from dicomnode.learn.harvest.meanings import Meanings
from dicomnode.learn.harvest.objects import Taken, Waiting, made_s, of_object, predecessors
from dicomnode.learn.harvest.segmentations import Masks, Part
from dicomnode.learn.harvest.sides import of_side
from dicomnode.learn.harvest.structure_sets import RT_STRUCTURE_SET
from dicomnode.learn.values import Source, What
from dicomnode.values import Series, Study

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
    unknown = [part for part in drawing.parts if not outputs_meant(part, meanings)]
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
    from scipy.ndimage import find_objects, label  # slow to import, and every command imports this file

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
        for model, output in outputs_meant(part, meanings).items():
            found.setdefault(model, {})[part.number] = output
    return found


def outputs_meant(part: Part, meanings: Meanings) -> dict[str, int]:
    """What a part means: by its codes, and by its label, which tells more where a code is shared."""
    coded = [one for code in part.codes for one in of_side(meanings.of_code(code), part.sides)]
    named = of_side(meanings.of_words(part.label), part.sides)
    return {one.model: one.output for one in (*coded, *named) if one.present}


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
