"""Why nothing could be learnt, in words for the person who wanted it."""

from collections.abc import Sequence

from dicomnode.errors import DiskReserve, ModelFault, TooFewLabels


class TooFew(TooFewLabels):
    """There are too few labels for any recipe, or for one class of them."""

    def __init__(self, patients: int, positives: int, needed: int, needed_positives: int) -> None:
        super().__init__(
            f"too few: {patients} patients with a label, {positives} of them in the rarer class; needed are {needed} "
            f"patients with {needed_positives}. Label more studies, or name a recipe in learn.recipe to try without a "
            "verdict"
        )
        self.patients, self.positives, self.needed, self.needed_positives = (
            patients, positives, needed, needed_positives,
        )  # fmt: skip


class OneClassOnly(TooFewLabels):
    """A finding has no positives, or no negatives: nothing tells its two classes apart."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"too few: no label says {'; none says '.join(missing)}. At least one of each is needed to learn"
        )
        self.missing = tuple(missing)


class NothingToLearnFrom(TooFewLabels):
    """A split that the recipe needs is empty."""

    def __init__(self, split: str) -> None:
        super().__init__(f"too few: no patient with a label is in the {split} split")
        self.split = split


class Diverged(ModelFault):
    """The loss is no number any more."""

    def __init__(self, epoch: int, learning_rate: float) -> None:
        super().__init__(
            f"the loss was no number in epoch {epoch}, with learning rate {learning_rate:g}: "
            "the images may hold values that are not finite, or the rate is too high. Nothing was kept of this training"
        )
        self.epoch, self.learning_rate = epoch, learning_rate


class BaseMoved(ModelFault):
    """A recipe changed what it must leave alone."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"training changed {', '.join(names[:5])}, which this recipe leaves alone: nothing was kept")
        self.names = tuple(names)


class NoRoomToLearn(DiskReserve):
    """The disk is full; what was written before is whole."""

    def __init__(self) -> None:
        super().__init__("the disk is full: free some room, and the training goes on from its last whole epoch")
