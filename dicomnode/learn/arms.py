"""What a candidate is compared with, and what each costs: one training job an arm.

The candidate; the bundle's own network from random weights on local data alone; and the candidate's recipe on a quarter
and on half of the training patients, for the learning curve.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dicomnode.bundles.approval import version_of
from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.config.learning import Learn
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.values import RecipeName
from dicomnode.learn.versions.folders import copied
from dicomnode.learn.versions.make import Fit, dicom_of, put_into
from dicomnode.values import ModelVersion

CANDIDATE, LOCAL_ONLY = "candidate", "local_only"
SHARES = (0.25, 0.5)
"""Of the training patients; the candidate itself is the whole."""


@dataclass(frozen=True)
class Arm:
    """One training job."""

    name: str
    recipe: RecipeName
    share: float = 1.0
    learning_rate: float | None = None
    """None: searched for."""
    trials: int = 8


def further_arms(fitted: Mapping[str, Any]) -> tuple[Arm, ...]:
    """What is trained beside a candidate, once its recipe and learning rate are known."""
    rate = fitted.get("learning_rate")
    shares = [
        Arm(f"share_{share:.0%}".rstrip("%"), RecipeName(str(fitted["recipe"])), share, rate, trials=0)
        for share in SHARES
    ]
    return (Arm(LOCAL_ONLY, RecipeName.SCRATCH, trials=0), *shares)


def train_order(base: ModelVersion, training_set: Path, arm: Arm, learn: Learn) -> TrainOrder:
    """What the child process of an arm is told."""
    return TrainOrder(
        bundle=base.folder.resolve(),
        digest=base.digest,
        threads=learn.threads,
        processes=learn.processes,
        training_set=training_set.resolve(),
        recipe=arm.recipe,
        seed=learn.seed,
        share=arm.share,
        learning_rate=arm.learning_rate,
        trials=arm.trials,
    )


def bundle_of(base: ModelVersion, arm_folder: Path) -> tuple[Path, str]:
    """A bundle of an arm, to be asked and never to be used: folder and digest; made once."""
    folder = arm_folder / "bundle"
    if not folder.is_dir():
        making = arm_folder / "bundle.partial"
        shutil.rmtree(making, ignore_errors=True)
        told = json.loads((arm_folder / "done.json").read_text(encoding="utf-8"))
        fit = Fit(arm_folder, told, None)
        dicom, _ = dicom_of(load_dicom_toml(base.folder), fit)
        copied(base.folder, making / base.name, link=False)
        put_into(making / base.name, base.folder, dicom, fit)
        making.replace(folder)  # whole or not at all: half of one would answer as the base
    return (folder / base.name).resolve(), version_of(folder / base.name).digest
