"""Predictions by warm processes, one for each model."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from dicomnode.bundles.dicom_toml import DicomToml, Kind, load_dicom_toml
from dicomnode.bundles.digest import body_digest, digest
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.errors import ModelFault
from dicomnode.infer.evaluated import reasons_outside
from dicomnode.infer.faults import ATTEMPTS, KilledItsWorker, WorkerLost
from dicomnode.infer.protocol import Ask, Load
from dicomnode.infer.worker import Worker
from dicomnode.values import (
    Answer,
    Classification,
    Detection,
    DomainAnswer,
    FindingScore,
    Header,
    ModelVersion,
    Prediction,
    Segmentation,
    Volume,
)

NOT_RUN = "none"
"""Device of a prediction for which the network was not asked."""
IDLE_S = 600.0
"""A process that was set aside ends when nobody has asked it for so long."""


class Predictor:
    """Holds a process for each model that was asked; use it as a context manager."""

    def __init__(self, infer: Infer) -> None:
        self.infer = infer
        self._loaded: dict[str, _Loaded] = {}
        self._aside: dict[str, _Loaded] = {}
        """By model, the process of another version that has other weights: a shadow's, or another site's."""
        self._lost: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def predict(self, model: ModelVersion, volume: Volume, header: Header, setting: ModelSetting) -> Prediction:
        """What a model says of one volume, whose first instance has this header.

        Raises:
            WorkerLost: the model's process died or timed out; worth another try.
            KilledItsWorker: it did so ATTEMPTS times in a row for this series.
            DeviceBusy: the device has too little memory now, or is not there.
            ModelFault: the bundle is not the approved one, or its code failed.
        """
        with self._lock:
            loaded = self._of(model, setting)
            outside = reasons_outside(loaded.dicom.domain, header)
            if outside and not setting.research_outside_domain:
                return _not_asked(loaded.dicom, volume, outside)
            return _marked(self._asked(loaded, volume, setting), outside)

    def start(self, model: ModelVersion, setting: ModelSetting) -> None:
        """Begin to load a model beside others; `warm` waits for it.

        Raises:
            ModelFault: the bundle is not the approved one.
        """
        with self._lock:
            self._of(model, setting)

    def warm(self, model: ModelVersion, setting: ModelSetting) -> None:
        """Load a model now, so that the first study need not wait.

        Raises:
            ModelFault: the bundle is not the approved one, or cannot be loaded.
            WorkerLost: its process died.
        """
        with self._lock:
            self._of(model, setting).worker.await_loaded()

    def close(self) -> None:
        """End every process."""
        for loaded in (*self._loaded.values(), *self._aside.values()):
            loaded.worker.close()
        self._loaded.clear()
        self._aside.clear()

    def tidy(self) -> None:
        """Remove the temporary files of every process, when this one is about to end without more ado."""
        for loaded in (*self._loaded.values(), *self._aside.values()):
            loaded.worker.tidy()

    def _asked(self, loaded: "_Loaded", volume: Volume, setting: ModelSetting) -> Prediction:
        ask = Ask.of(
            volume,
            saliency=setting.saliency,
            research=setting.research_outside_domain,
            probability=setting.probability,
        )
        lost = (loaded.load.digest, volume.series_uid)
        try:
            answer = loaded.worker.predict(ask, timeout_s=setting.timeout_s or loaded.dicom.model.timeout_s)
        except WorkerLost as fault:
            self._lost[lost] = self._lost.get(lost, 0) + 1
            if self._lost[lost] >= ATTEMPTS:
                del self._lost[lost]
                raise KilledItsWorker(fault.model, ATTEMPTS, fault.how) from fault
            raise
        self._lost.pop(lost, None)
        return answer

    def _of(self, model: ModelVersion, setting: ModelSetting) -> "_Loaded":
        load = Load(
            folder=str(model.folder.resolve()),
            digest=model.digest,
            device=setting.device,
            threads=self.infer.threads,
            mixed_precision=self.infer.mixed_precision,
            allow_cpu=self.infer.allow_cpu,
        )
        self._forget_idle()
        known = self._loaded.get(model.name)
        if known is None or not known.can_be(load):
            self._exchange(model, load)
            known = self._loaded[model.name]
        known.become(load)
        known.used_s = time.monotonic()
        return known

    def _exchange(self, model: ModelVersion, load: Load) -> None:
        """Take the process that was set aside, or a new one, in the place of the present one."""
        known, aside = self._loaded.pop(model.name, None), self._aside.pop(model.name, None)
        fits = aside is not None and aside.can_be(load)
        if aside is not None and not fits:
            aside.worker.close()
        if known is not None and load.differs_in_version_alone(known.load):
            self._aside[model.name] = known
        elif known is not None:
            known.worker.close()
        self._loaded[model.name] = aside if aside is not None and fits else _Loaded(model.name, load)

    def _forget_idle(self) -> None:
        """End processes that were set aside and that nobody asks any more."""
        for name, aside in tuple(self._aside.items()):
            if time.monotonic() - aside.used_s > IDLE_S:
                self._aside.pop(name).worker.close()


class _Loaded:
    """One model's process, and what the dicom.toml of the version that it is now says."""

    def __init__(self, name: str, load: Load) -> None:
        self.name = name
        self.body, self.dicom = self._looked_at(load)
        self.load, self.used_s = load, time.monotonic()
        self.worker = Worker(name, load)

    def can_be(self, load: Load) -> bool:
        """Whether this process can answer as another version: one with the same base."""
        if load == self.load:
            return True
        return load.differs_in_version_alone(self.load) and body_digest(Path(load.folder)) == self.body

    def become(self, load: Load) -> None:
        """Answer as this version from now on.

        Raises:
            ModelFault: its files are not the approved ones, or its adapter does not fit.
        """
        if load == self.load:
            return
        _, dicom = self._looked_at(load)
        self.worker.swap(load)
        self.load, self.dicom = load, dicom

    def _looked_at(self, load: Load) -> tuple[str, DicomToml]:
        folder = Path(load.folder)
        if (found := digest(folder)) != load.digest:
            raise ModelFault(
                f"bundle {self.name} has digest {found[:12]}…, approved is {load.digest[:12]}…: "
                f"restore its files, or run `dicomnode models approve {self.name}`"
            )
        return body_digest(folder), load_dicom_toml(folder)


def _not_asked(dicom: DicomToml, volume: Volume, reasons: tuple[str, ...]) -> Prediction:
    """Outside the evaluated domain by its header alone: the network is not asked."""
    answer: Answer = Detection(())
    if dicom.model.kind is Kind.SEGMENTATION:
        answer = Segmentation(np.zeros(volume.voxels.shape, np.uint8))
    elif dicom.model.kind is Kind.CLASSIFICATION:
        answer = Classification(tuple(FindingScore(n, None, None, None) for n in range(len(dicom.findings))))
    return Prediction(answer, DomainAnswer(inside=False, reasons=reasons), NOT_RUN)


def _marked(prediction: Prediction, outside: tuple[str, ...]) -> Prediction:
    """The prediction, with what its header says against it."""
    if not outside:
        return prediction
    domain = DomainAnswer(inside=False, reasons=(*outside, *prediction.domain.reasons), overridden=True)
    return replace(prediction, domain=domain)
