"""A run again from what is stored: the same images, the same version, and whether it says the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dicomnode.archive.files import digest_of
from dicomnode.bundles.approval import device_uid
from dicomnode.bundles.dicom_toml import DicomToml, load_dicom_toml
from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.handover import handed_over, handover_folder
from dicomnode.index.database import Index
from dicomnode.index.learning import LearnedVersionRow
from dicomnode.index.runs import load_run, require_run
from dicomnode.index.schema import RunRow
from dicomnode.learn.versions.folders import require_intact, version_folder
from dicomnode.learn.versions.in_use import installed
from dicomnode.learn.versions.self_test import Predictor
from dicomnode.summary import summary_of
from dicomnode.values import Instance, ModelVersion, Prediction, Segmentation, Series, Volume

Build = Callable[[Series, DicomToml], Volume]
"""Builds a volume from a series (room `volume`)."""


@dataclass(frozen=True)
class Replayed:
    """What came of it."""

    run_key: str
    version: str
    digest: str
    differences: tuple[str, ...]
    """In words; none: it says the same."""
    exact: bool
    """The stored answer itself was at hand, not only its summary."""

    def words(self) -> str:
        """For a person."""
        how = (
            "voxel by voxel and figure by figure" if self.exact else "by its summary; the answer itself is gone by now"
        )
        same = f"the same answer, {how}" if not self.differences else "ANOTHER answer: " + "; ".join(self.differences)
        return f"run {self.run_key[:12]} again with {self.version} ({self.digest[:12]}): {same}"


def replay(index: Index, config: Config, key: str, build: Build, predictor: Predictor) -> Replayed:
    """Do a run's analysis again and compare; nothing is stored or sent.

    Raises:
        ConfigFault: its images or its version are not here any more, or not what they were.
    """
    with index.snapshot() as session:
        row = require_run(session, key)
        version = _version(index, config, row)
        run, series = load_run(session, config.node.state, key, version)
    for instance in series.instances:
        _require_same(instance)
    rules = load_dicom_toml(version.folder)
    volume = build(series, rules)
    setting = config.model(version.name).model_copy(update={"probability": False})
    prediction = predictor.predict(version, volume, series.first, setting)
    exact = handover_folder(config.node.state, key).is_dir()
    found = _summary_differs(rules, volume, prediction, row)
    if exact:
        found = (*found, *_differs(prediction, handed_over(config.node.state, run.run_key)[1]))
    return Replayed(key, version.version, version.digest, tuple(found), exact)


def _version(index: Index, config: Config, row: RunRow) -> ModelVersion:
    """The version of a run, in use or not: one made here, a base that versions were made from, or the installed one."""
    state = config.node.state
    with index.snapshot() as session:
        made = session.get(LearnedVersionRow, row.model_digest)
        folder = state / (made.folder if made else version_folder(row.model, row.model_digest))
        if not folder.is_dir():
            base = installed(session, config, row.model)
            if base.digest != row.model_digest:
                raise ConfigFault(f"version {row.model_digest[:12]} of {row.model} is not here any more")
            return base
    require_intact(folder, row.model, row.model_digest)
    name = made.version if made else "as installed then"
    return ModelVersion(row.model, name, row.model_digest, device_uid(row.model_digest), folder)


def _require_same(instance: Instance) -> None:
    try:
        found = digest_of(instance.path)
    except OSError as fault:
        raise ConfigFault(
            f"image {instance.sop_instance_uid} is not here any more: the PACS must send it again"
        ) from fault
    if found != instance.content_digest:
        raise ConfigFault(f"image {instance.sop_instance_uid} is not what was received: its digest differs")


def _summary_differs(rules: DicomToml, volume: Volume, prediction: Prediction, row: RunRow) -> tuple[str, ...]:
    now = summary_of(rules, volume, prediction)
    told = {name: row.summary.get(name) for name in now}
    return tuple(f"{name}: {now[name]} instead of {told[name]}" for name in now if now[name] != told[name])


def _differs(now: Prediction, then: Prediction) -> Iterator[str]:
    if isinstance(now.answer, Segmentation) and isinstance(then.answer, Segmentation):
        if not np.array_equal(now.answer.labels, then.answer.labels):
            yield f"{int((now.answer.labels != then.answer.labels).sum())} voxels have another label"
        return
    for name in ("scores", "lesions"):
        if getattr(now.answer, name, None) != getattr(then.answer, name, None):
            yield f"the {name} differ: {getattr(now.answer, name, None)} instead of {getattr(then.answer, name, None)}"
