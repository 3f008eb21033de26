"""The pictures of a candidate's report: validation cases that stand for it, drawn by a child process."""

from collections.abc import Callable
from pathlib import Path

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.learn.evaluate.answers import FILE, load_answers
from dicomnode.learn.evaluate.clusters import answers_on
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
    answers = answers_on(load_answers(asked / FILE), training.of(Split.VALIDATION))
    rules = load_dicom_toml(candidate.folder)
    thresholds = tuple(finding.threshold for finding in rules.findings)
    shown = cases(training, answers, thresholds, rules.output_names)
    if not shown:
        return ()
    folder, digest = candidate.folder.resolve(), candidate.digest
    order = GalleryOrder(bundle=folder, digest=digest, training_set=manifest.resolve(), shown=shown)
    return read_gallery(run(JOB, order))
