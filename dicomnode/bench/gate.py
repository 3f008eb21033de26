"""What the gate does over many updates, by simulation: how often it errs, and where a chain of updates ends.

Scores are binormal. Nothing here is about a real model: it is about the rules.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from dicomnode.config.learning import GatePlan
from dicomnode.learn.evaluate.auc import areas, placements, reach
from dicomnode.learn.evaluate.compare import DELONG_FROM, Figure, compare
from dicomnode.learn.evaluate.conformal import coverages, prediction_sets
from dicomnode.learn.evaluate.ledger import alpha_of
from dicomnode.learn.evaluate.power import Planned, binormal, paired_variance, power_table
from dicomnode.learn.evaluate.proportions import proportion
from dicomnode.learn.values import Answers

Floats = NDArray[np.float64]
Placed = tuple[Floats, Floats]

BASE, CORRELATION, PREVALENCE, PATIENTS = 0.90, 0.90, 0.30, 400
WITHIN = 0.6
"""Correlation of a patient's images."""
UPDATES, WORSE, BETTER = 24, -0.005, 0.003
TYPE_ONE_AT_MOST, CREEP_AT_MOST, PASS_AT_LEAST, COVERED_AT_LEAST = 0.035, 0.01, 0.90, 0.95
PLAN = GatePlan()
TABLE = (
    Planned(0.85, 0.90, 0.02), Planned(0.85, 0.90, 0.03), Planned(0.85, 0.90, 0.05), Planned(0.92, 0.90, 0.02),
    Planned(0.92, 0.95, 0.03),
)  # fmt: skip
"""Rows of the power table."""


@dataclass(frozen=True)
class TypeOne:
    """How often a candidate that is worse by exactly the margin passes."""

    patients: int
    alpha: float
    method: str
    trials: int
    rate: float
    band: tuple[float, float]
    """Where the true rate lies, 95 % (Wilson)."""


@dataclass(frozen=True)
class Chain:
    """Where 24 updates in a row lead."""

    rule: str
    step: float
    """True change of AUC by each update."""
    trials: int
    final: float
    """True AUC of the model in use at the end, mean."""
    passed: float
    """Share of the updates that passed."""
    below: float
    """Share of chains that end below baseline - margin."""


def labels(patients: int) -> Floats:
    """Positives first."""
    positives = round(patients * PREVALENCE)
    return np.concatenate([np.ones(positives), np.zeros(patients - positives)])


def type_one(patients: int, trials: int, *, alpha: float, seed: int = 0) -> TypeOne:
    """Type I error of G1 against one version: true difference -margin, so that every pass is an error."""
    targets, rng = labels(patients), np.random.default_rng(seed)
    truly = np.repeat([[BASE - PLAN.margin_auc], [BASE]], trials, axis=1)
    scores = binormal(truly, targets, CORRELATION, rng)
    few = min(targets.sum(), (1 - targets).sum()) < DELONG_FROM
    lows = (
        _resampled_lows(scores, targets, alpha)
        if few
        else _lows(placed(scores[0], targets), placed(scores[1], targets), alpha)
    )
    return _rate(patients, alpha, "BCa" if few else "DeLong", lows > -PLAN.margin_auc)


def all_looks(patients: int, trials: int, *, seed: int = 0) -> TypeOne:
    """Type I error over the life of one sealed set: ten candidates, each worse by the margin; any pass is an error."""
    targets, rng = labels(patients), np.random.default_rng(seed)
    truly = np.repeat([[BASE], *[[BASE - PLAN.margin_auc]] * PLAN.max_looks], trials, axis=1)
    versions = [placed(one, targets) for one in binormal(truly, targets, CORRELATION, rng)]
    passed = np.zeros(trials, dtype=np.bool_)
    for look, one in enumerate(versions[1:], 1):
        passed |= _lows(one, versions[0], alpha_of(look, PLAN.alpha)) > -PLAN.margin_auc
    return _rate(patients, PLAN.alpha, f"DeLong, {PLAN.max_looks} looks", passed)


def several_images(patients: int, trials: int, *, by_patient: bool, images: int = 4, seed: int = 0) -> TypeOne:
    """Type I error of a first look with several images a patient, which are correlated.

    Args:
        patients: of the sealed set.
        trials: simulated sealed sets.
        by_patient: as the gate counts; else each image counts, which is wrong.
        images: of each patient.
        seed: of the simulation.
    """
    targets, rng = np.repeat(labels(patients), images), np.random.default_rng(seed)
    owner, alpha = np.repeat(np.arange(patients), images), alpha_of(1, PLAN.alpha)
    apart = np.sqrt(2.0) * ndtri([BASE - PLAN.margin_auc, BASE])[:, None] * targets

    def noise() -> Floats:
        own = rng.standard_normal(patients)[owner], rng.standard_normal(len(owner))
        return np.asarray(np.sqrt(WITHIN) * own[0] + np.sqrt(1 - WITHIN) * own[1])

    passed = np.zeros(trials, dtype=np.bool_)
    for trial in range(trials):
        shared = np.sqrt(CORRELATION) * noise()
        scores = apart + shared + np.sqrt(1 - CORRELATION) * np.stack([noise(), noise()])
        found = areas(targets, scores, owner if by_patient else np.arange(len(owner)))
        assert found is not None
        down = reach(alpha, min(found.positives, found.negatives)) * found.difference_se(0, 1)
        passed[trial] = found.values[0] - found.values[1] - down > -PLAN.margin_auc
    how = "by patient" if by_patient else "by image, which is wrong"
    return _rate(patients, alpha, f"{images} images each, {how}", passed)


def _rate(patients: int, alpha: float, method: str, passed: NDArray[np.bool_]) -> TypeOne:
    told = proportion(passed.astype(np.float64), np.arange(len(passed)))
    assert told is not None
    return TypeOne(patients, alpha, method, len(passed), told.value, (told.low, told.high))


def placed(scores: Floats, targets: Floats) -> Placed:
    """Placements of (trial, item) scores."""
    return placements(scores[..., targets == 1], scores[..., targets == 0])


def _lows(one: Placed, other: Placed, alpha: float) -> Floats:
    """Lower bounds of a difference of areas, one a trial."""
    difference = one[0].mean(axis=-1) - other[0].mean(axis=-1)
    fewest = min(one[0].shape[-1], one[1].shape[-1])
    return np.asarray(difference - reach(alpha, fewest) * np.sqrt(paired_variance(one, other)))


def _resampled_lows(scores: Floats, targets: Floats, alpha: float) -> Floats:
    found = []
    for trial in range(scores.shape[1]):
        one, other = (answers(str(version), targets, scores[version, trial]) for version in (0, 1))
        difference = compare(Figure.AUC, one, other, 0, alpha=alpha, seed=trial)
        found.append(difference.figure.low if difference else -1.0)
    return np.array(found)


def answers(version: str, targets: Floats, scores: Floats, *, name: str = "t", area: float = BASE) -> Answers:
    """Answers of one version, one item a patient, with calibrated probabilities."""
    apart, share = np.sqrt(2.0) * ndtri(area), targets.mean()
    logits = (apart * scores - apart**2 / 2 + np.log(share / (1 - share)))[:, None]
    ids = tuple(f"{name}{place:06d}" for place in range(len(targets)))
    return Answers(version, ids, ids, targets[:, None], logits, expit(logits), np.zeros((0, 0)))


Rule = Callable[[Placed, Placed, Placed, int], Floats]
"""Placements of candidate, model in use and baseline, and the number of the look, to whether each trial passes."""


def against_baseline(candidate: Placed, in_use: Placed, baseline: Placed, look: int) -> Floats:
    """G1's baseline rule with the alpha ledger."""
    del in_use
    return np.asarray(_lows(candidate, baseline, alpha_of(look, PLAN.alpha)) > -PLAN.margin_auc)


def against_both(candidate: Placed, in_use: Placed, baseline: Placed, look: int) -> Floats:
    """All of G1: baseline and model in use, with the alpha ledger."""
    alpha = alpha_of(look, PLAN.alpha)
    return np.asarray(
        (_lows(candidate, baseline, alpha) > -PLAN.margin_auc) & (_lows(candidate, in_use, alpha) > -PLAN.margin_auc)
    )


def without_ledger(candidate: Placed, in_use: Placed, baseline: Placed, look: int) -> Floats:
    """The baseline rule with all of alpha at every look."""
    del in_use, look
    return np.asarray(_lows(candidate, baseline, PLAN.alpha) > -PLAN.margin_auc)


def against_previous(candidate: Placed, in_use: Placed, baseline: Placed, look: int) -> Floats:
    """What many products do: not worse than the version before, all of alpha each time."""
    del baseline, look
    return np.asarray(_lows(candidate, in_use, PLAN.alpha) > -PLAN.margin_auc)


RULES: dict[str, Rule] = {
    "baseline, with the alpha ledger": against_baseline,
    "baseline and model in use, with the ledger (all of G1)": against_both,
    "baseline, no ledger": without_ledger,
    "previous version, no ledger": against_previous,
}


def chain(name: str, step: float, trials: int, *, patients: int = PATIENTS, seed: int = 0) -> Chain:
    """24 updates, each truly `step` from the model in use; after its last look a set is retired, another one sealed."""
    rng, targets = np.random.default_rng(seed), labels(patients)
    area = np.full(trials, BASE)
    passed = np.zeros(trials)
    for update in range(UPDATES):
        look = update % PLAN.max_looks + 1
        if look == 1:
            shared = rng.standard_normal((trials, patients))
            baseline = placed(_scores(np.full(trials, BASE), targets, shared, rng), targets)
            in_use = placed(_scores(area, targets, shared, rng), targets) if update else baseline
        better = np.minimum(area + step, 0.999)
        candidate = placed(_scores(better, targets, shared, rng), targets)
        taken = RULES[name](candidate, in_use, baseline, look).astype(bool)
        area, passed = np.where(taken, better, area), passed + taken
        in_use = _taken(taken, candidate, in_use)
    below = float(np.mean(area < BASE - PLAN.margin_auc - 1e-9))
    return Chain(name, step, trials, float(area.mean()), float(passed.mean()) / UPDATES, below)


def _taken(taken: NDArray[np.bool_], new: Placed, old: Placed) -> Placed:
    return np.where(taken[:, None], new[0], old[0]), np.where(taken[:, None], new[1], old[1])


def _scores(area: Floats, targets: Floats, shared: Floats, rng: np.random.Generator) -> Floats:
    own = rng.standard_normal(shared.shape)
    apart = np.sqrt(2.0) * ndtri(area)[:, None]
    return np.asarray(apart * targets + np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own)


def covered(trials: int, *, calibrated: int = 300, patients: int = PATIENTS, seed: int = 0) -> tuple[float, float]:
    """Share of trials whose coverage lies within its 95 % band, for each class (absent, present)."""
    rng, kept = np.random.default_rng(seed), []
    for _ in range(trials):
        fitted, tested = labels(calibrated), labels(patients)
        told, asked = (
            answers("0", one, binormal(np.full((1, 1), BASE), one, 0.0, rng)[0, 0]).probabilities[:, 0]
            for one in (fitted, tested)
        )
        found = coverages(prediction_sets(fitted, told, asked, PLAN.coverage), tested, PLAN.coverage)
        kept.append([one.kept for one in found])
    absent, present = np.mean(kept, axis=0)
    return float(absent), float(present)


def power_rows(trials: int) -> list[tuple[Planned, dict[int, float]]]:
    """The power table."""
    return power_table(TABLE, trials=trials)
