"""What the objects of one run tell, worked out once, so that none tells it differently."""

from dataclasses import dataclass, field, replace

from pydicom import Dataset

from dicomnode.encode.context import Context
from dicomnode.encode.regions import Regions
from dicomnode.encode.report.document import Content
from dicomnode.encode.shown import Shown
from dicomnode.values import Prediction, Role, Volume


@dataclass(frozen=True)
class Told:
    """One run's answer, ready to be written as any kind of object."""

    context: Context
    content: Content
    """The sentences and codes of the report, and the groups that need no other object of ours."""
    volume: Volume | None = None
    """None where the study could not be analysed."""
    prediction: Prediction | None = None
    regions: Regions | None = None
    """What a segmentation found."""
    shown: tuple[Shown, ...] = ()
    """The findings with a place or a probability; empty outside the evaluated domain."""
    made: dict[Role, Dataset] = field(default_factory=dict)
    """The objects of this run made before this one, which it may refer to."""

    @property
    def caution(self) -> str:
        """What an object says of findings outside the evaluated domain, shown all the same; empty within it."""
        domain = self.prediction.domain if self.prediction else None
        return self.context.say("Research use only.") if domain and domain.overridden and not domain.inside else ""

    def having(self, role: Role, dataset: Dataset) -> "Told":
        """The same, with one more object made."""
        return replace(self, made={**self.made, role: dataset})
