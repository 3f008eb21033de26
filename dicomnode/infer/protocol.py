"""What the node asks of a model's process, and how the answer travels back."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomnode.errors import DeviceBusy, ModelFault, NodeError, SeriesRefused
from dicomnode.infer.wire import BrokenFrame, Message
from dicomnode.values import (
    Answer,
    Classification,
    Detection,
    DomainAnswer,
    FindingScore,
    Lesion,
    Prediction,
    Segmentation,
    Volume,
)

FAULTS: dict[str, type[NodeError]] = {fault.__name__: fault for fault in (ModelFault, DeviceBusy, SeriesRefused)}


@dataclass(frozen=True)
class Load:
    """Load this bundle, if its digest is the approved one."""

    folder: str
    digest: str
    device: str
    """"auto", "cpu", "cuda:0" ..."""
    threads: int
    """0: all cores."""
    mixed_precision: bool
    allow_cpu: bool

    def message(self) -> Message:
        """As it travels."""
        return Message("load", asdict(self))

    def swap_message(self) -> Message:
        """As it travels to a process that has another version of the same base."""
        return Message("swap", asdict(self))

    def differs_in_version_alone(self, other: "Load") -> bool:
        """Whether both ask for a bundle in the same way, and it is another one."""
        return self != other and self == replace(other, folder=self.folder, digest=self.digest)


@dataclass(frozen=True)
class Ask:
    """Predict one volume."""

    voxels: NDArray[np.float32]
    affine_lps: NDArray[np.float64]
    has_geometry: bool
    saliency: bool
    research: bool
    """Answer outside the evaluated domain too."""
    probability: bool = False
    """Tell the probability of a segmentation in every voxel."""

    @classmethod
    def of(cls, volume: Volume, *, saliency: bool, research: bool, probability: bool = False) -> "Ask":
        """What the model's process may know of a volume: no identifier of anything."""
        return cls(volume.voxels, volume.affine_lps, volume.has_geometry, saliency, research, probability)

    def message(self) -> Message:
        """As it travels."""
        fields = {name: getattr(self, name) for name in ("has_geometry", "saliency", "research", "probability")}
        return Message("predict", fields, {"voxels": self.voxels, "affine_lps": self.affine_lps})

    def volume(self) -> Volume:
        """The volume, as the model's process knows it."""
        return Volume(self.voxels, self.affine_lps, (), "", None, self.has_geometry)


def ask_of(message: Message) -> Ask:
    """The request that a message carries."""
    return Ask(message.arrays["voxels"], message.arrays["affine_lps"], **message.fields)


def fault_message(fault: NodeError) -> Message:
    """An error of the tree, under the name of its leaf."""
    name = next((name for name, leaf in FAULTS.items() if isinstance(fault, leaf)), ModelFault.__name__)
    return Message("fault", {"name": name, "words": str(fault)})


def prediction_message(prediction: Prediction) -> Message:
    """A prediction, as it travels."""
    answer = prediction.answer
    fields: dict[str, Any] = {
        "domain": asdict(prediction.domain),
        "device": prediction.device,
        "seconds": prediction.seconds,
        "notes": prediction.notes,
        "embedding": prediction.embedding,
    }
    arrays: dict[str, NDArray[Any]] = {} if answer.saliency is None else {"saliency": answer.saliency}
    if isinstance(answer, Segmentation):
        arrays |= {"labels": answer.labels}
        arrays |= {} if answer.probability is None else {"probability": answer.probability}
        return Message("segmentation", fields | {"uncertainty": answer.uncertainty}, arrays)
    if isinstance(answer, Detection):
        return Message("detection", fields | {"lesions": [asdict(lesion) for lesion in answer.lesions]}, arrays)
    return Message("classification", fields | {"scores": [asdict(score) for score in answer.scores]}, arrays)


def prediction_of(message: Message) -> Prediction:
    """The prediction that a message carries.

    Raises:
        NodeError: the message carries a fault instead; of the kind it names.
        BrokenFrame: it carries neither.
    """
    if message.kind == "fault":
        raise FAULTS.get(message.fields["name"], ModelFault)(message.fields["words"])
    if message.kind not in {"segmentation", "classification", "detection"}:
        raise BrokenFrame(f"{message.kind} is no prediction")
    fields = message.fields
    domain = DomainAnswer(
        fields["domain"]["inside"], tuple(fields["domain"]["reasons"]), fields["domain"]["overridden"]
    )
    notes, embedding = tuple(fields["notes"]), tuple(fields["embedding"])
    return Prediction(_answer(message), domain, fields["device"], fields["seconds"], notes, embedding)


def _answer(message: Message) -> Answer:
    saliency = message.arrays.get("saliency")
    if message.kind == "segmentation":
        uncertainty = {int(label): float(figure) for label, figure in message.fields["uncertainty"].items()}
        return Segmentation(message.arrays["labels"], uncertainty, saliency, message.arrays.get("probability"))
    if message.kind == "detection":
        return Detection(tuple(Lesion.of(**lesion) for lesion in message.fields["lesions"]))
    return Classification(tuple(FindingScore(**score) for score in message.fields["scores"]), saliency)
