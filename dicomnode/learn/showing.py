"""The pictures of a candidate's report: validation cases that stand for it, drawn by a child process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dicomnode.bundles.dicom_toml import DicomToml, Kind, load_dicom_toml
from dicomnode.learn.evaluate.answers import FILE, load_answers
from dicomnode.learn.evaluate.clusters import chosen
from dicomnode.learn.job import AnyOrder
from dicomnode.learn.orders import GalleryOrder
from dicomnode.learn.paper.cases import cases
from dicomnode.learn.paper.told import Picture, read_gallery
from dicomnode.learn.values import Split, TrainingSet
from dicomnode.values import ModelVersion

JOB = "gallery"


def pictures(
    run: Callable[[str, AnyOrder], Path], candidate: ModelVersion, training: TrainingSet, manifest: Path, asked: Path
) -> tuple[Picture, ...]:
    """What the candidate sees in some validation cases; none where there are no such cases.

    Args:
        run: runs a job of a name apart, and gives its folder.
        candidate: who is shown.
        training: its training set.
        manifest: of that.
        asked: folder of the job in which the candidate answered, among others, the validation items.

    Raises:
        ModelFault: they cannot be drawn.
    """
    answers, rules = load_answers(asked / FILE), load_dicom_toml(candidate.folder)
    allowed = {item.item_id for item in training.of(Split.VALIDATION)}
    answers = chosen(answers, np.array([item_id in allowed for item_id in answers.item_ids], bool))
    thresholds = tuple(finding.threshold for finding in rules.findings)
    shown = cases(training, answers, thresholds, _names(rules))
    if not shown:
        return ()
    folder, digest = candidate.folder.resolve(), candidate.digest
    order = GalleryOrder(bundle=folder, digest=digest, training_set=manifest.resolve(), shown=shown)
    return read_gallery(run(JOB, order))


def _names(rules: DicomToml) -> tuple[str, ...]:
    if rules.model.kind is Kind.SEGMENTATION:
        return tuple(segment.label for segment in rules.segments)
    return tuple(finding.concept.meaning for finding in rules.findings)
