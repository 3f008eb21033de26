"""How many patients there are to learn from, and which recipes so many allow."""

import importlib.util

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.learn.train.faults import NothingToLearnFrom, OneClassOnly, TooFew
from dicomnode.learn.train.job import Job
from dicomnode.learn.train.recipes import FEWER_FOR_VOLUMES, LADDER, RECIPES, Recipe
from dicomnode.learn.values import Item, RecipeName, Split

LEARNT_FROM = (Split.TRAIN, Split.VALIDATION, Split.CALIBRATION)
TOO_FEW_FOR_A_VERDICT = "too few for a verdict: {patients} patients, {needed} are needed for {recipe}"


def counts(job: Job) -> tuple[int, int]:
    """Patients with a label outside the test sets, and those of the rarest class of any finding.

    A segmentation or detection has no classes of patients: all count.
    """
    items = [item for item in job.training.of(*LEARNT_FROM) if item.split is not Split.TRAIN or item in job.train]
    patients = {item.patient for item in items}
    if job.bundle.dicom.model.kind is not Kind.CLASSIFICATION:
        return len(patients), len(patients)
    findings = range(len(job.bundle.dicom.findings))
    rarest = min(len(_with(items, finding, value)) for finding in findings for value in (0.0, 1.0))
    return len(patients), rarest


def enough(job: Job, recipe: Recipe) -> bool:
    """Whether there are enough patients for a recipe."""
    patients, rarest = counts(job)
    return patients >= needed(job, recipe)[0] and rarest >= needed(job, recipe)[1]


def needed(job: Job, recipe: Recipe) -> tuple[int, int]:
    """Patients, and patients of the rarer class, that a recipe needs."""
    less = FEWER_FOR_VOLUMES if job.is_segmentation and job.bundle.dicom.series.dimensions == 3 else 1
    return -(-recipe.patients // less), -(-recipe.positives // less)


def ladder(job: Job) -> list[RecipeName]:
    """The recipes that the count allows, the smallest change first.

    Raises:
        TooFew: it allows none.
    """
    can_calibrate = job.bundle.dicom.model.kind is Kind.CLASSIFICATION
    rungs = [name for name in LADDER if name is not RecipeName.RECALIBRATE or can_calibrate]
    found = [name for name in rungs if enough(job, RECIPES[name]) and can_train(name)]
    if not found:
        least = min((needed(job, RECIPES[name]) for name in rungs), key=lambda one: one[0])
        raise TooFew(*counts(job), *least)
    return found


def can_train(name: RecipeName) -> bool:
    """Whether what a recipe needs is installed: peft, for adapters, is an extra."""
    return name is not RecipeName.ADAPTER or importlib.util.find_spec("peft") is not None


def warning(job: Job, name: RecipeName) -> tuple[str, ...]:
    """What a person should know of a recipe that was named although there are too few patients for it."""
    if enough(job, RECIPES[name]):
        return ()
    (patients, _), (least, _) = counts(job), needed(job, RECIPES[name])
    return (TOO_FEW_FOR_A_VERDICT.format(patients=patients, needed=least, recipe=name.value),)


def require_both_classes(job: Job) -> None:
    """Refuse a finding of which the training split knows one class alone.

    Raises:
        NothingToLearnFrom: no item of the training split is labelled.
        OneClassOnly: names the findings.
    """
    if not job.train:
        raise NothingToLearnFrom("train")
    if job.bundle.dicom.model.kind is not Kind.CLASSIFICATION:
        return
    missing = [
        f"{finding.concept.meaning} {'present' if value else 'absent'}"
        for n, finding in enumerate(job.bundle.dicom.findings)
        for value in (1.0, 0.0)
        if not _with(job.train, n, value)
    ]
    if missing:
        raise OneClassOnly(missing)


def _with(items: "tuple[Item, ...] | list[Item]", finding: int, value: float) -> set[str]:
    return {item.patient for item in items if item.targets[finding] == value}
