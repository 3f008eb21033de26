"""Evidence with numbers that a reader can predict: binormal scores of three versions on the same patients."""

from dataclasses import replace

import numpy as np
from scipy.special import expit, ndtri

from dicomnode.learn.values import Answers, Evidence

WHOLE = {"base_unchanged": True, "reload_logit_difference": 0.0}


def answers(
    version: str, targets: np.ndarray, scores: np.ndarray, *, area: float = 0.9, name: str = "t", items: int = 1
) -> Answers:
    """Answers whose probabilities are calibrated: `scores` are z-scores without the shift between the classes."""
    apart, share = np.sqrt(2) * ndtri(area), targets.mean()
    logits = apart * (scores + apart * targets) - apart**2 / 2 + np.log(share / (1 - share))
    count = len(targets)
    return Answers(
        version=version,
        item_ids=tuple(f"{name}{place:05d}" for place in range(count)),
        patients=tuple(f"{name}-patient{place // items:05d}" for place in range(count)),
        targets=targets[:, None].astype(float),
        logits=logits[:, None],
        probabilities=expit(logits)[:, None],
        dice=np.zeros((0, 0)),
    )


def noises(versions: int, count: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    shared = rng.standard_normal(count)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.standard_normal((versions, count))


def labels(count: int, share: float = 0.3) -> np.ndarray:
    positives = round(count * share)
    return np.r_[np.ones(positives), np.zeros(count - positives)]


def evidence(
    count: int = 600, *, areas: tuple[float, float, float] = (0.93, 0.9, 0.9), correlation: float = 0.9,
    seed: int = 0, share: float = 0.3, same: bool = True, items: int = 1,
) -> Evidence:  # fmt: skip
    """Candidate, model in use, baseline with these areas; the model in use is the baseline unless said."""
    rng = np.random.default_rng(seed)
    targets, noise = labels(count, share), noises(3, count, correlation, rng)
    candidate, in_use, baseline = (
        answers(version, targets, noise[place], area=area, items=items)
        for place, (version, area) in enumerate(zip(("c" * 64, "u" * 64, "b" * 64), areas, strict=True))
    )
    fitted = answers("c" * 64, labels(600, share), rng.standard_normal(600), area=areas[0], name="cal")
    groups = {
        item: {"sex": "F" if place % 2 else "M", "site": "one"} for place, item in enumerate(candidate.item_ids)
    }  # fmt: skip
    return Evidence(
        model="chest",
        kind="classification",
        recipe="norm",
        integrity=dict(WHOLE),
        candidate=candidate,
        in_use=baseline if same else in_use,
        baseline=baseline,
        local_only=None,
        thresholds={"candidate": (share,), "in_use": (share,), "baseline": (share,)},
        calibration=fitted,
        groups=groups,
    )


def of(found: Evidence, **changes: object) -> Evidence:
    return replace(found, **changes)
