"""What a labeler is worth: its answers on reports that readers labelled, finding by finding, with exact intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from dicomnode.learn.reports.facts import Labeler, Status
from dicomnode.learn.reports.reference import Labelled
from dicomnode.learn.values import Estimate

ENOUGH_REPORTS = 200
ENOUGH_VALUE = 0.95
"""Both predictive values must reach it, with the lower end of their interval."""


@dataclass(frozen=True)
class Counts:
    """Answers for one finding, by what the readers said of it."""

    true_present: int = 0
    false_present: int = 0
    true_absent: int = 0
    """Said to be absent in words, and absent."""
    false_absent: int = 0
    uncertain: int = 0
    unmentioned: int = 0
    positives: int = 0
    """By the readers."""
    reports: int = 0


@dataclass(frozen=True)
class Worth:
    """What a labeler is worth for one finding."""

    finding: str
    counts: Counts
    sensitivity: Estimate | None
    """Of the positive reports, those labelled present; None: there are none."""
    specificity: Estimate | None
    """Of the negative reports, those not labelled present."""
    ppv: Estimate | None
    """Of the reports labelled present, those that are."""
    npv: Estimate | None
    """Of the reports labelled absent, those that are. A finding that is not mentioned gets no label."""

    @property
    def unreviewed(self) -> bool:
        """Good enough to be used without a person looking at each label."""
        enough = self.counts.reports >= ENOUGH_REPORTS
        return enough and all(value is not None and value.low >= ENOUGH_VALUE for value in (self.ppv, self.npv))


def measure(
    labeler: Labeler, reports: Sequence[Labelled], say: Callable[[int], None] = lambda _done: None
) -> tuple[Worth, ...]:
    """The worth of a labeler for each finding that it knows and that the readers judged."""
    answers: dict[str, list[tuple[Status, bool]]] = {name: [] for name in labeler.findings}
    for done, report in enumerate(reports, 1):
        for fact in labeler.facts(report.text):
            if fact.finding in report.truth:
                answers[fact.finding].append((fact.status, report.truth[fact.finding]))
        say(done)
    return tuple(_worth(finding, _counts(pairs)) for finding, pairs in answers.items() if pairs)


def exact(hits: int, of: int) -> Estimate | None:
    """A share with its exact 95 % interval (Clopper and Pearson); None of nothing."""
    if of == 0:
        return None
    interval = binomtest(hits, of).proportion_ci(0.95, method="exact")
    return Estimate(hits / of, float(interval.low), float(interval.high), n=of)


def _counts(pairs: list[tuple[Status, bool]]) -> Counts:
    return Counts(
        true_present=pairs.count((Status.PRESENT, True)),
        false_present=pairs.count((Status.PRESENT, False)),
        true_absent=pairs.count((Status.ABSENT, False)),
        false_absent=pairs.count((Status.ABSENT, True)),
        uncertain=sum(status is Status.UNCERTAIN for status, _ in pairs),
        unmentioned=sum(status is Status.UNMENTIONED for status, _ in pairs),
        positives=sum(truth for _, truth in pairs),
        reports=len(pairs),
    )


def _worth(finding: str, counts: Counts) -> Worth:
    negatives = counts.reports - counts.positives
    return Worth(
        finding,
        counts,
        sensitivity=exact(counts.true_present, counts.positives),
        specificity=exact(negatives - counts.false_present, negatives),
        ppv=exact(counts.true_present, counts.true_present + counts.false_present),
        npv=exact(counts.true_absent, counts.true_absent + counts.false_absent),
    )
