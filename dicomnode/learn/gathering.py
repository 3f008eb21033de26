"""The evidence on a candidate: what each arm says of patients that nobody was trained on.

The sealed test is asked once for each arm, after its look was written down; the learning curve is drawn on the
validation split, so that it costs no look.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.learn.arms import CANDIDATE, LOCAL_ONLY, bundle_of
from dicomnode.learn.evaluate.answers import FILE, load_answers
from dicomnode.learn.evaluate.arms import curve_point
from dicomnode.learn.evaluate.clusters import answers_on
from dicomnode.learn.job import DONE, AnyOrder, read
from dicomnode.learn.orders import AnswerOrder
from dicomnode.learn.split.seal import temporal_holdout
from dicomnode.learn.values import Answers, CurvePoint, Evidence, Item, Split, TrainingSet
from dicomnode.values import ModelVersion

Run = Callable[[str, AnyOrder], Path]
"""Runs a job of this name; the folder that holds what came of it."""


@dataclass(frozen=True)
class Versions:
    """Who is asked."""

    candidate: ModelVersion
    in_use: ModelVersion
    baseline: ModelVersion


@dataclass(frozen=True)
class Asked:
    """What they are asked about."""

    training: TrainingSet
    manifest: Path
    sealed: tuple[Item, ...]
    retention: dict[str, tuple[Item, ...]]


@dataclass(frozen=True)
class Gatherer:
    """Has bundles answer items, each in one child process."""

    run: Run
    asked: Asked
    threads: int

    def answers(self, name: str, folder: Path, digest: str, items: Sequence[Item]) -> Answers:
        """What the bundle in a folder says of some items, in their order."""
        order = AnswerOrder(
            bundle=folder.resolve(),
            digest=digest,
            threads=self.threads,
            training_set=self.asked.manifest.resolve(),
            items=tuple(dict.fromkeys(item.item_id for item in items)),
        )
        return load_answers(self.run(name, order) / FILE)

    def of(self, name: str, version: ModelVersion, items: Sequence[Item]) -> Answers:
        """What a version says."""
        return self.answers(name, version.folder, version.digest, items)


def gather(gatherer: Gatherer, versions: Versions, arms: Path, integrity: dict[str, float | bool | str]) -> Evidence:
    """All that the gate judges a candidate by.

    Args:
        gatherer: has versions answer.
        versions: the three that are asked.
        arms: folder of the training jobs.
        integrity: what was measured of the candidate's files.
    """
    asked, rules = gatherer.asked, load_dicom_toml(versions.candidate.folder)
    fitted = read(arms / CANDIDATE / DONE) or {}
    older = [item for items in asked.retention.values() for item in items]
    candidate, in_use, baseline = _three(gatherer, versions, older)
    return Evidence(
        model=asked.training.model,
        kind=str(rules.model.kind),
        recipe=str(fitted.get("recipe", "")),
        integrity=integrity,
        candidate=answers_on(candidate, asked.sealed),
        in_use=answers_on(in_use, asked.sealed),
        baseline=answers_on(baseline, asked.sealed),
        local_only=_local_only(gatherer, versions.baseline, arms),
        thresholds={name: _thresholds(version.folder) for name, version in vars(versions).items()},
        calibration=answers_on(candidate, asked.training.judging(Split.CALIBRATION)),
        retention={
            name: (answers_on(candidate, items), answers_on(in_use, items))
            for name, items in asked.retention.items()
            if items
        },
        groups={item.item_id: dict(item.groups) for item in asked.sealed},
        temporal=temporal_holdout(asked.sealed),
        curve=_curve(
            gatherer, versions.baseline, arms, answers_on(candidate, asked.training.judging(Split.VALIDATION))
        ),
        outputs=rules.output_names,
        warnings=_warnings(fitted),
    )


def _three(gatherer: Gatherer, versions: Versions, older: Sequence[Item]) -> tuple[Answers, Answers, Answers]:
    """Candidate, version in use and baseline, on all that each is compared on; the same version is asked once."""
    asked = gatherer.asked
    fitted = asked.training.judging(Split.CALIBRATION, Split.VALIDATION)
    candidate = gatherer.of("answers_candidate", versions.candidate, (*asked.sealed, *older, *fitted))
    baseline = gatherer.of("answers_baseline", versions.baseline, (*asked.sealed, *older))
    if versions.in_use.digest == versions.baseline.digest:
        return candidate, baseline, baseline
    return candidate, gatherer.of("answers_in_use", versions.in_use, (*asked.sealed, *older)), baseline


def _local_only(gatherer: Gatherer, base: ModelVersion, arms: Path) -> Answers | None:
    """The third arm; None where there was too little to train it on."""
    if not (arms / LOCAL_ONLY / DONE).is_file():
        return None
    return gatherer.answers("answers_local_only", *bundle_of(base, arms / LOCAL_ONLY), gatherer.asked.sealed)


def _curve(gatherer: Gatherer, base: ModelVersion, arms: Path, whole: Answers) -> tuple[CurvePoint, ...]:
    """How good the recipe is with part of the labels, on the validation split."""
    items, kind = gatherer.asked.training.judging(Split.VALIDATION), str(load_dicom_toml(base.folder).model.kind)
    points: list[CurvePoint | None] = []
    for folder in sorted(arms.glob("share_*")):
        told = read(folder / DONE)
        if told is not None and items:
            answers = gatherer.answers(f"answers_{folder.name}", *bundle_of(base, folder), items)
            share = float(folder.name.partition("_")[2]) / 100
            points.append(curve_point(kind, share, _patients(told), answers))
    points.append(curve_point(kind, 1.0, _patients(read(arms / CANDIDATE / DONE) or {}), whole))
    return tuple(point for point in points if point is not None)


def _patients(told: Mapping[str, object]) -> int:
    return int(str(told.get("patients") or 0))


def _warnings(told: Mapping[str, object]) -> tuple[str, ...]:
    said = told.get("warnings")
    return tuple(map(str, said)) if isinstance(said, list) else ()


def _thresholds(folder: Path) -> tuple[float, ...]:
    return tuple(finding.threshold for finding in load_dicom_toml(folder).findings)
