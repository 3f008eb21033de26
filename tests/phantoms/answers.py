"""Every kind of answer on every source, as all kinds of object: what validators, viewers and archives are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dicomnode.bundles.dicom_toml import DicomToml, Kind
from dicomnode.config.profiles import OBJECTS
from dicomnode.encode.context import Encoded
from dicomnode.encode.results import could_not_analyse, encode_results
from dicomnode.values import (
    Classification,
    Detection,
    DomainAnswer,
    FindingScore,
    Lesion,
    Prediction,
    Role,
    Run,
    Segmentation,
    Series,
    Study,
    Volume,
)
from dicomnode.volume.build import build_volume
from tests.phantom import SUBJECT, Subject, study_of, write
from tests.phantoms.sources import STACKS, source
from tests.unit.encode.examples import FINDINGS, MADE_AT, SEGMENTS, node_of, run_of, two_boxes

INSIDE = DomainAnswer(inside=True)
Answer = Callable[[Volume], Prediction]


@dataclass(frozen=True)
class Given:
    """The objects of one answer on one source, and what they were made from."""

    source: str
    answer: str
    run: Run
    series: Series
    rules: DicomToml
    made: tuple[Encoded, ...]

    def __str__(self) -> str:
        return f"{self.answer}, {self.source}"


def segmented(volume: Volume) -> Prediction:
    """Two boxes, twice as large in every direction as those of the encoder's own tests where there is room."""
    labels = np.zeros(volume.voxels.shape, np.uint8)
    if len(labels) == 1:
        labels[0, 4:12, 5:11], labels[0, 14:20, 16:24] = 1, 2
    else:
        labels[:, :8, :10] = two_boxes((len(labels), 8, 10))
    return Prediction(
        Segmentation(labels, uncertainty={1: 0.12}, probability=heat(volume).astype(np.float16)), INSIDE, "cpu"
    )


def nothing(volume: Volume) -> Prediction:
    """None of the structures."""
    return Prediction(Segmentation(np.zeros(volume.voxels.shape, np.uint8)), INSIDE, "cpu")


def scored(volume: Volume) -> Prediction:
    """One finding, present, with what the model looked at."""
    return Prediction(Classification((FindingScore(0, 0.91, 0.05, True),), saliency=heat(volume)), INSIDE, "cpu")


def detected(volume: Volume) -> Prediction:
    """Two boxes, one through several slices where there are any."""
    slices = len(volume.voxels)
    large = Lesion(0, 0.93, ((0.0, max(1.0, slices - 1.5)), (1.5, 4.5), (2.0, 6.0)))
    small = Lesion(0, 0.61, ((slices - 1.0, float(slices)), (0.0, 1.0), (0.0, 1.0)))
    return Prediction(Detection((large, small)), INSIDE, "cpu")


def heat(volume: Volume) -> NDArray[np.float32]:
    """A hot spot of 1 in the middle of every slice, fading to 0 at the rim."""
    rows, columns = volume.voxels.shape[1:]
    j, i = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    spot = np.clip(1 - np.hypot(j, i), 0, 1).astype(np.float32)
    return np.broadcast_to(spot, volume.voxels.shape).copy()


DETECTS = FINDINGS.model_copy(update={"model": FINDINGS.model.model_copy(update={"kind": Kind.DETECTION})})
ANSWERS: dict[str, tuple[DicomToml, Answer]] = {
    "segmentation": (SEGMENTS, segmented),
    "nothing found": (SEGMENTS, nothing),
    "classification": (FINDINGS, scored),
    "detection": (DETECTS, detected),
}
COULD_NOT = "could not analyse"


def given(
    name: str,
    answer: str,
    folder: Path,
    *,
    objects: Sequence[Role] = OBJECTS,
    subject: Subject = SUBJECT,
    character_set: str | Sequence[str] = "ISO_IR 192",
) -> Given:
    """All objects of one answer on one source; its images are written under the folder, in a character set."""
    study, series = _received(name, folder, subject, character_set)
    rules, prediction = ANSWERS.get(answer, (SEGMENTS, nothing))
    run = run_of(study, rules, run_key=f"{name} {answer}".encode().hex().ljust(64, "0")[:64])
    if answer == COULD_NOT:
        reason = "no series is a crop of 80 mm or less"
        made = could_not_analyse(run, None, reason, rules, node_of(folder), MADE_AT, objects=objects)
        return Given(name, answer, run, series, rules, made)
    limits = rules.series.model_copy(update={"dimensions": 3 if name in STACKS else 2})
    volume = build_volume(series, limits)
    made = encode_results(run, series, volume, prediction(volume), rules, node_of(folder), MADE_AT, objects=objects)
    return Given(name, answer, run, series, rules, made)


def _received(name: str, folder: Path, subject: Subject, character_set: str | Sequence[str]) -> tuple[Study, Series]:
    images = source(name, subject)
    for image in images:
        image.SpecificCharacterSet = character_set
    study = study_of(write(images, folder / "received" / name))
    return study, study.series[0]
