"""The whole gate, all nine rules, over a chain of 24 updates by simulation."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dicomnode.bench.gate import BASE, CORRELATION, PATIENTS, PLAN, PREVALENCE, UPDATES, Chain, answers, labels
from dicomnode.learn.evaluate.gate import judge
from dicomnode.learn.values import Answers, Evidence, Verdict

Floats = NDArray[np.float64]
SHARES = {"sealed": 1.0, "calibration": 0.75, "retention": 0.5}
"""Patients of each split beside the sealed test's: 20, 15 and 10 % of all."""
WHOLE = {"base_unchanged": True, "reload_logit_difference": 0.0}


@dataclass
class Hospital:
    """The patients of one simulated site, and what each version makes of them."""

    patients: int
    rng: np.random.Generator
    targets: dict[str, Floats] = field(default_factory=dict)
    shared: dict[str, Floats] = field(default_factory=dict)

    def admit(self, split: str) -> None:
        """New patients in a split."""
        self.targets[split] = labels(round(self.patients * SHARES[split]))
        self.shared[split] = self.rng.standard_normal(len(self.targets[split]))

    def answers(self, version: str, area: float, split: str) -> Answers:
        """What a version says of a split; the same version says the same."""
        targets, shared = self.targets[split], self.shared[split]
        own = np.random.default_rng([int(version), len(split), int(abs(shared[0]) * 1e9)]).standard_normal(len(shared))
        scores = np.sqrt(2.0) * ndtri(area) * targets + np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own
        return answers(version, targets, scores, name=split, area=area)


@dataclass(frozen=True)
class Verdicts:
    """How often each verdict was given."""

    patients: int
    """Of the sealed test."""
    chain: Chain
    shares: dict[str, float]


def whole_chain(step: float, chains: int, *, piling: bool = False, patients: int = PATIENTS, seed: int = 0) -> Verdicts:
    """Updates through the whole gate; only PROMOTE moves the model in use.

    Args:
        step: true change of AUC by each update.
        chains: how many chains of 24 updates.
        piling: each candidate is `step` better than the candidate before, promoted or not, as labels pile up; else it
            is `step` from the model in use.
        patients: of the sealed test.
        seed: of the simulation.
    """
    told = [_one(step, piling, patients, np.random.default_rng([seed, one])) for one in range(chains)]
    verdicts = [verdict for _, one in told for verdict in one]
    finals = np.array([final for final, _ in told])
    shares = {verdict.value: verdicts.count(verdict) / len(verdicts) for verdict in Verdict}
    name = "whole gate, gains piling up" if piling else "whole gate"
    below = float(np.mean(finals < BASE - PLAN.margin_auc - 1e-9))
    return Verdicts(patients, Chain(name, step, chains, float(finals.mean()), shares["PROMOTE"], below), shares)


def _one(step: float, piling: bool, patients: int, rng: np.random.Generator) -> tuple[float, list[Verdict]]:
    site, area, in_use = Hospital(patients, rng), BASE, "0"
    for split in ("calibration", "retention"):
        site.admit(split)
    verdicts = []
    for update in range(UPDATES):
        look = update % PLAN.max_looks + 1
        if look == 1:
            site.admit("sealed")
        candidate = min((BASE + step * update if piling else area) + step, 0.999)
        evidence = _evidence(site, {str(update + 1): candidate}, {in_use: area})
        verdicts.append(judge(PLAN, evidence, look, seed=0).verdict)
        if verdicts[-1] is Verdict.PROMOTE:
            area, in_use = candidate, str(update + 1)
    return area, verdicts


def _evidence(site: Hospital, candidate: dict[str, float], in_use: dict[str, float]) -> Evidence:
    ((new, new_area),), ((old, old_area),) = candidate.items(), in_use.items()
    sealed = site.answers(new, new_area, "sealed")
    return Evidence(
        model="simulated",
        kind="classification",
        recipe="norm",
        integrity=dict(WHOLE),
        candidate=sealed,
        in_use=site.answers(old, old_area, "sealed"),
        baseline=site.answers("0", BASE, "sealed"),
        local_only=None,
        thresholds=dict.fromkeys(("candidate", "in_use", "baseline"), (PREVALENCE,)),
        calibration=site.answers(new, new_area, "calibration"),
        retention={"older": (site.answers(new, new_area, "retention"), site.answers(old, old_area, "retention"))},
        groups={item: {"sex": "FM"[place % 2]} for place, item in enumerate(sealed.item_ids)},
    )
