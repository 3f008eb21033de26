"""A train job, from its order to the files of a candidate.

order ─► job ─► choose (recipe, learning rate) ─► fit ─► verify ─► calibrate ─► files and figures
"""

import contextlib
import importlib.metadata
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.infer.forward import device_of
from dicomnode.learn.adapters.file import Adapter, weights_digest, write_adapter
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.train.adapting import fit_adapter
from dicomnode.learn.train.checkpoint import save_weights
from dicomnode.learn.train.choose import chosen
from dicomnode.learn.train.classifying import logits_of_pool
from dicomnode.learn.train.counting import require_both_classes, warning
from dicomnode.learn.train.fitting import Fit, Wanted, fit_full, fit_norm, fit_scratch
from dicomnode.learn.train.heading import fit_head
from dicomnode.learn.train.holding import fit_lpft
from dicomnode.learn.train.job import Job, open_job
from dicomnode.learn.train.loop import Say, Told
from dicomnode.learn.train.plain import fit_plain
from dicomnode.learn.train.pool import ItemPool, files
from dicomnode.learn.train.ranks import joined
from dicomnode.learn.train.recalibrate import Calibrated, calibrated
from dicomnode.learn.train.recipes import PATIENCE
from dicomnode.learn.train.seeds import repeatable
from dicomnode.learn.train.verify import ADAPTER, WEIGHTS, reload_difference
from dicomnode.learn.values import RecipeName, Split

LIBRARIES = ("torch", "monai", "pytorch-ignite", "peft", "optuna", "scikit-learn", "numpy")


def train(order: TrainOrder, folder: Path, say: Say, *, patience: int = PATIENCE) -> dict[str, object]:
    """Train what an order wants; the job's folder holds the candidate's file when this returns.

    A job that was killed goes on from its last whole epoch when it is called again with the same folder.

    Raises:
        TooFew, OneClassOnly, NothingToLearnFrom: the labels do not suffice.
        Diverged: the loss is no number.
        NoRoomToLearn: the disk is full.
        ModelFault: the bundle or the training set is not what the order says.
    """
    began_s = time.monotonic()
    with joined(device_of(order.device, allow_cpu=True)[0]) as ranks, repeatable(order.seed) as ran:
        job = replace(open_job(order, folder, say if ranks.is_first else _silent, ranks), patience=patience)
        told = _trained(job)
    return told | {"deterministic": ran.deterministic, "seconds": time.monotonic() - began_s}


def _trained(job: Job) -> dict[str, Any]:
    require_both_classes(job)
    base = weights_digest(job.bundle.network)
    choice = chosen(job, FITS)
    name = choice.recipe
    fit = FITS[name](job.wanted(name, learning_rate=choice.learning_rate))
    job.say({"stage": "calibrate", "done": 0, "of": 1})
    found = _calibration(job, fit)
    return {
        "recipe": name.value,
        "learning_rate": fit.learning_rate,
        "trials": choice.trials,
        "cv": choice.cv,
        "warnings": list(warning(job, name)),
        "notes": [*fit.notes, *(one.note for one in found if one.note)],
        "calibration": [_told(one) for one in found],
        "seed": job.order.seed,
        "versions": dict(_versions()),
        "items_seen": len(job.train) + len(job.stop),
        "patients": len({item.patient for item in job.train}),
    } | _kept(job, name, fit, base)


def _kept(job: Job, name: RecipeName, fit: Fit, base: str) -> dict[str, Any]:
    """Write the candidate's file, and tell of the training."""
    told: dict[str, Any] = {
        "trainable": fit.trainable,
        "total": sum(one.numel() for one in (fit if fit.network_def else job.bundle).network.parameters()),
        "epochs": fit.told.epochs,
        "best_epoch": fit.told.best_epoch,
        "history": fit.told.history,
        "wise_alpha": fit.wise_alpha,
        "network_def": fit.network_def,
        "base": base,
        "integrity": {"base_unchanged": weights_digest(job.bundle.network) == base},
    }
    if name is RecipeName.RECALIBRATE or not job.ranks.is_first:
        return told
    if fit.tensors is None:
        save_weights(job.folder / WEIGHTS, fit.network)
        return told | _whole(job, WEIGHTS, fit, told["integrity"])
    adapter = Adapter(told["base"], fit.tensors, {"recipe": name.value, **fit.metadata})
    write_adapter(job.folder / ADAPTER, adapter)
    return told | _whole(job, ADAPTER, fit, told["integrity"])


def _whole(job: Job, file: str, fit: Fit, integrity: dict[str, Any]) -> dict[str, Any]:
    """The candidate's file, and how well it makes the network that was trained."""
    difference = reload_difference(job, job.folder / file, fit.network)
    return {"file": file, "integrity": integrity | {"reload_logit_difference": difference}}


def _calibration(job: Job, fit: Fit) -> list[Calibrated]:
    """Of every finding, on the calibration split."""
    items = job.training.judging(Split.CALIBRATION)
    if job.bundle.dicom.model.kind is not Kind.CLASSIFICATION or not items:
        return []
    pool = ItemPool(files(job.training, items))
    targets = np.array([[np.nan if t is None else t for t in item.targets] for item in items], np.float64)
    ours, base = (logits_of_pool(job.bundle, network, pool) for network in (fit.network, job.bundle.network))
    return [
        calibrated(finding, targets[:, n], ours[:, n], expit(finding.slope * base[:, n] + finding.intercept))
        for n, finding in enumerate(job.bundle.dicom.findings)
    ]


def _told(one: Calibrated) -> dict[str, float]:
    return {"index": one.index, "slope": one.slope, "intercept": one.intercept, "threshold": one.threshold}


def _versions() -> Iterator[tuple[str, str]]:
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield library, importlib.metadata.version(library)


def fit_nothing(wanted: Wanted) -> Fit:
    """The base as it is: only probabilities and thresholds change."""
    return Fit(wanted.bundle.network, Told(), 0.0, 0)


def _silent(_: dict[str, object]) -> None:
    """Another process speaks."""


FITS: dict[RecipeName, Callable[[Wanted], Fit]] = {
    RecipeName.RECALIBRATE: fit_nothing,
    RecipeName.HEAD: fit_head,
    RecipeName.NORM: fit_norm,
    RecipeName.ADAPTER: fit_adapter,
    RecipeName.LPFT: fit_lpft,
    RecipeName.FULL: fit_full,
    RecipeName.PLAIN: fit_plain,
    RecipeName.SCRATCH: fit_scratch,
}
