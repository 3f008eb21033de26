"""What a kind of bundle asks of training: a loss to go down, and a figure of merit to stop and to choose by."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.infer.bundle import Bundle
from dicomnode.learn.train.pool import Batch, Pool

CANNOT_TELL = -1.0


@dataclass(frozen=True, order=True)
class Figure:
    """How good a network is on items that it did not train on; the larger the better."""

    merit: float
    """AUC, Dice or mean sensitivity, 0 to 1; -1 where the items cannot tell."""
    minus_loss: float = 0.0
    """Decides between equal merits."""


class Task(Protocol):
    """One kind of bundle."""

    merit: str
    """What its figure is, for a person."""

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Scalar loss of one batch."""

    def figure(self, network: nn.Module, pool: Pool) -> Figure:
        """How good a network in eval mode is on all samples of a pool."""


def task_of(bundle: Bundle, pool: Pool) -> Task:
    """The task of a bundle; weights of classes are worked out from the training samples."""
    if bundle.dicom.model.kind is Kind.SEGMENTATION:
        from dicomnode.learn.train.segmenting import Segmenting

        return Segmenting(bundle)
    if bundle.dicom.model.kind is Kind.DETECTION:
        from dicomnode.learn.train.detecting import Detecting

        return Detecting(bundle)
    from dicomnode.learn.train.classifying import Classifying

    return Classifying(bundle, pool)
