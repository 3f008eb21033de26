"""Subgroups of patients: how a candidate does in each, and how far apart their sensitivities are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicomnode.learn.evaluate.clusters import chosen
from dicomnode.learn.evaluate.compare import Difference, Figure, compare
from dicomnode.learn.values import Answers, Evidence

ATTRIBUTES = ("sex", "age_band", "scanner", "site")
FEWEST = 30
"""Patients with the finding, and without, from which a group is judged."""


@dataclass(frozen=True)
class Group:
    """One group of one attribute, on one output."""

    attribute: str
    value: str
    output: int
    positives: int
    negatives: int
    """Patients; of a segmentation all are counted as positives."""
    found: Difference | None
    """Candidate less baseline; None: insufficient data."""


def groups(
    evidence: Evidence, figure: Figure, output: int, *, alpha: float = 0.025, seed: int = 0
) -> Iterator[Group]:  # fmt: skip
    """Each group of each attribute that the items name, largest first within an attribute."""
    for attribute in ATTRIBUTES:
        values = np.array([evidence.groups.get(item, {}).get(attribute, "") for item in evidence.candidate.item_ids])
        named, counts = np.unique(values[values != ""], return_counts=True)
        for value in named[np.argsort(-counts, kind="stable")]:
            one, other = (chosen(answers, values == value) for answers in (evidence.candidate, evidence.baseline))
            positives, negatives = counted(one, figure, output)
            enough = positives >= FEWEST and (figure is not Figure.AUC or negatives >= FEWEST)
            found = compare(figure, one, other, output, alpha=alpha, seed=seed) if enough else None
            yield Group(attribute, str(value), output, positives, negatives, found)


def counted(answers: Answers, figure: Figure, output: int) -> tuple[int, int]:
    """Patients with the finding and without; of a segmentation: all, and none."""
    patients = np.asarray(answers.patients)
    if figure is Figure.DICE:
        return len(np.unique(patients)), 0
    if figure is Figure.FROC:
        present: NDArray[np.bool_] = np.asarray(answers.lesions) > 0
        return len(np.unique(patients[present])), len(np.unique(patients[~present]))
    target = answers.targets[:, output]
    return len(np.unique(patients[target == 1])), len(np.unique(patients[target == 0]))
