"""What a rule is asked about, and how it answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicomnode.config.learning import GatePlan
from dicomnode.learn.evaluate.compare import KIND_FIGURE, Difference, Figure
from dicomnode.learn.evaluate.power import power
from dicomnode.learn.values import Estimate, Evidence

PEOPLE = {"in_use": "the model in use", "baseline": "the approved baseline"}


@dataclass(frozen=True)
class Against:
    """The candidate compared with one version on one output."""

    output: int
    reference: str
    """Who it is compared with, as a person says it."""
    found: Difference | None
    """None: it cannot be told."""


@dataclass(frozen=True)
class Asked:
    """A candidate before the gate."""

    plan: GatePlan
    evidence: Evidence
    alpha: float
    """One-sided, of this look."""
    seed: int
    compared: tuple[Against, ...] = ()
    """With the baseline and the model in use, at this look's alpha."""

    @property
    def figure(self) -> Figure:
        """The kind's own figure."""
        return KIND_FIGURE[self.evidence.kind]

    @property
    def margin(self) -> float:
        """Of non-inferiority."""
        return self.plan.margin_dice if self.figure is Figure.DICE else self.plan.margin_auc

    def name(self, output: int) -> str:
        """What an output is called."""
        if output < len(self.evidence.outputs):
            return self.evidence.outputs[output]
        return f"{'segment' if self.figure is Figure.DICE else 'finding'} {output + 1}"


def not_worse(found: Difference | None, margin: float, plan: GatePlan) -> bool | None:
    """Whether a difference proves non-inferiority.

    True: its lower bound is above -margin. False: the data speak against it: the difference itself is at the margin, or
    its upper bound is below 0, or there were patients enough to prove it. None: too few patients to tell.
    """
    if found is None:
        return None
    figure = found.figure
    if figure.low > -margin:
        return True
    enough = power(found.se, margin, found.reach) >= plan.min_power
    return False if figure.value <= -margin or figure.high < 0 or enough else None


def together(answers: Iterable[bool | None]) -> bool | None:
    """False where one is; else None where one is; else True."""
    told = list(answers)
    return False if False in told else None if None in told else True


def said(found: Difference, margin: float) -> str:
    """The figures of one comparison, for a sentence."""
    return (
        f"{found.one:.3f} against {found.other:.3f}, difference {found.figure.value:+.3f}, at worst "
        f"{found.figure.low:+.3f} where {-margin:+.3f} was allowed"
    )


def between(figure: Estimate) -> str:
    """A figure with its interval, for a sentence."""
    return f"{figure.value:.3f} ({figure.level:.0%} interval {figure.low:.3f} to {figure.high:.3f})"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first five."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
