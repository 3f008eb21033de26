"""One prediction, from a volume to the answer: prepare, ask the network, go back to the source grid."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.classify import classification, saliency_map, withheld
from dicomnode.infer.detect import detection
from dicomnode.infer.domain import Domain, load_domain
from dicomnode.infer.embedding import embedding
from dicomnode.infer.forward import Forward, is_out_of_memory
from dicomnode.infer.grid import network_input
from dicomnode.infer.protocol import Ask
from dicomnode.infer.segment import probability_map, segmentation
from dicomnode.infer.uncertainty import samples
from dicomnode.values import Answer, Detection, DomainAnswer, Prediction, Segmentation, Volume

NO_MAP = "no saliency map: out of memory"
NO_PROBABILITY = "no probability map: out of memory"


class Model:
    """A loaded bundle that answers."""

    def __init__(self, bundle: Bundle, forward: Forward, note: str = "") -> None:
        self.bundle, self.forward, self.note = bundle, forward, note
        self.domain = _learnt(bundle)

    def predict(self, ask: Ask) -> Prediction:
        """The answer for one volume.

        Raises:
            OutOfMemory: the device has too little for the smallest way of running.
            ModelFault: the bundle's answer cannot be used.
        """
        clock = Clock()
        volume = ask.volume()
        image = network_input(self.bundle, volume)
        self.forward.begin(tuple(image.shape[1:]))
        clock.mark("preprocess")
        domain, seen = self._domain(image, ask)
        looks = embedding(image.as_tensor(), seen)
        return replace(self._judged(ask, volume, image, domain, clock), embedding=looks)

    def _judged(self, ask: Ask, volume: Volume, image: MetaTensor, domain: DomainAnswer, clock: "Clock") -> Prediction:
        if not domain.inside and not domain.overridden:
            clock.mark("forward")
            return self._said(self._nothing(volume), domain, clock, ())
        asked = self._asked(image)
        clock.mark("forward")
        answer, notes = self._answer(ask, volume, image, asked)
        clock.mark("postprocess")
        return self._said(answer, domain, clock, (*asked.notes, *notes))

    def _domain(self, image: MetaTensor, ask: Ask) -> tuple[DomainAnswer, tuple[float, ...]]:
        """What the learnt check says, and what the network saw; the header was looked at before."""
        if self.domain is None:
            return DomainAnswer(inside=True), ()
        network, device = self.bundle.network.to(self.forward.on), self.forward.on
        found = self.domain.check(network, image.as_tensor()[None].float().to(device))
        if found.inside:
            return DomainAnswer(inside=True), found.seen
        return DomainAnswer(inside=False, reasons=(found.why,), overridden=ask.research), found.seen

    def _asked(self, image: MetaTensor) -> "Asked":
        tensor = image.as_tensor()[None].float()
        if self.bundle.dicom.model.kind is Kind.DETECTION:
            return Asked(torch.empty(0), [], (), self.forward.boxes(tensor))
        plain = self.forward(tensor)
        others, notes = samples(self.forward, tensor, plain, self.bundle.dicom.uncertainty)
        return Asked(plain, others, notes)

    def _answer(self, ask: Ask, volume: Volume, image: MetaTensor, asked: "Asked") -> tuple[Answer, tuple[str, ...]]:
        if self.bundle.dicom.model.kind is Kind.DETECTION:
            return detection(self.bundle, volume, image, asked.boxes)
        if self.bundle.dicom.model.kind is Kind.SEGMENTATION:
            return self._segmented(ask, volume, image, asked)
        saliency, notes = self._saliency(volume, image, asked.plain) if ask.saliency else (None, ())
        return classification(self.bundle, image, asked.plain, asked.others, saliency), notes

    def _segmented(
        self, ask: Ask, volume: Volume, image: MetaTensor, asked: "Asked"
    ) -> tuple[Segmentation, tuple[str, ...]]:
        found = segmentation(self.bundle, volume, image, asked.plain, asked.others)
        if not ask.probability:
            return found, ()
        try:
            return replace(found, probability=probability_map(self.bundle, volume, image, asked.plain)), ()
        except (RuntimeError, MemoryError) as fault:
            if not is_out_of_memory(fault):
                raise
            return found, (NO_PROBABILITY,)

    def _saliency(
        self, volume: Volume, image: MetaTensor, output: Tensor
    ) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
        try:
            return saliency_map(self.bundle, volume, image, output)
        except (RuntimeError, MemoryError) as fault:
            if not is_out_of_memory(fault):
                raise
            return None, (NO_MAP,)

    def _nothing(self, volume: Volume) -> Answer:
        if self.bundle.dicom.model.kind is Kind.DETECTION:
            return Detection(())
        if self.bundle.dicom.model.kind is Kind.SEGMENTATION:
            return Segmentation(np.zeros(volume.voxels.shape, np.uint8))
        return withheld(self.bundle)

    def _said(self, answer: Answer, domain: DomainAnswer, clock: "Clock", notes: tuple[str, ...]) -> Prediction:
        told = tuple(filter(None, (self.note, *self.forward.notes, *notes)))
        return Prediction(answer, domain, str(self.forward.on), clock.seconds, told)


def _learnt(bundle: Bundle) -> Domain | None:
    """The learnt domain check that the bundle names; it must be one of its own files, which are under the digest."""
    check = bundle.dicom.domain.check
    if check is None:
        return None
    path = (bundle.folder / check).resolve()
    if not path.is_file() or not path.is_relative_to(bundle.folder.resolve()):
        raise ModelFault(f"bundle {bundle.folder.name} names the domain check {check}, and holds no such file")
    return load_domain(path)


@dataclass(frozen=True)
class Asked:
    """What the network put out: (1, ...) each, or boxes."""

    plain: Tensor
    others: list[Tensor]
    """For the same image again, for its uncertainty."""
    notes: tuple[str, ...]
    boxes: Mapping[str, Tensor] = field(default_factory=dict)
    """Of a detection: boxes, labels and scores."""


class Clock:
    """Wall time since the last mark."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last_s = time.monotonic()

    def mark(self, part: str) -> None:
        """End a part; waits for the accelerator."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now_s = time.monotonic()
        self.seconds[part], self._last_s = now_s - self._last_s, now_s
