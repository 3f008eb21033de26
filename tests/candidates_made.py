"""Candidates made of numbers: answers, evidence, and all that a report tells of them."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from dicomnode.config.learning import GatePlan
from dicomnode.index.learning import DecisionRow, LearnedVersionRow, LookRow
from dicomnode.learn.evaluate.gate import judge
from dicomnode.learn.paper.told import Card, Picture, Told, data_of
from dicomnode.learn.values import SHARES, Answers, CurvePoint, Estimate, Evidence, Item, Source, TrainingSet

NOON = 1_780_000_000.0
DAY_S = 86400.0
SCANNERS = (*["ACME Ray 1"] * 6, *["Other & Sons XR"] * 5, "Tiny <CR>")


def classified(version: str, truth: np.ndarray, skill: float, *, seed: int, of: str = "") -> Answers:
    """Answers of a classifier whose probabilities are calibrated."""
    noise = 0.75 * np.random.default_rng(1).standard_normal(truth.shape)
    noise = noise + 0.66 * np.random.default_rng(seed).standard_normal(truth.shape)
    logits = skill * (skill * (truth - 0.5) + noise) - 0.4
    names = tuple(f"{of}item{n:04d}" for n in range(len(truth)))
    empty, who = np.zeros((0, 0)), tuple(of + patient for patient in patients(len(truth)))
    return Answers(version * 32, names, who, truth, logits, 1 / (1 + np.exp(-logits)), empty)


def patients(count: int) -> tuple[str, ...]:
    """One in ten patients has two images."""
    return tuple(f"{n - (n % 10 == 9):04d}" for n in range(count))


def truth_of(count: int, outputs: int = 1, seed: int = 5) -> np.ndarray:
    return (np.random.default_rng(seed).random((count, outputs)) < 0.4).astype(float)


def groups_of(count: int) -> dict[str, dict[str, str]]:
    ages = ("18-39", "40-64", "65+")
    return {
        f"item{n:04d}": {"sex": "FM"[n % 2], "age_band": ages[n % 3], "scanner": SCANNERS[n % 12], "site": "Main"}
        for n in range(count)
    }


def classification(count: int = 420, *, skill: float = 2.6, outputs: tuple[str, ...] = ("Pneumonia",)) -> Evidence:
    """A candidate whose AUC is that of `skill`, beside a model in use of 2.2."""
    truth = truth_of(count, len(outputs))
    kept = truth_of(max(count // 2, 12), len(outputs), seed=6)
    halves = (0.5,) * len(outputs)
    older = classified("a", kept, skill, seed=7, of="old"), classified("b", kept, 2.3, seed=8, of="old")
    curve = tuple(
        CurvePoint(share, round(share * count), Estimate(value, value - 0.05, value + 0.03, 0.95, count))
        for share, value in ((0.25, 0.88), (0.5, 0.925), (1.0, 0.955))
    )
    return Evidence(
        model="chest", kind="classification", recipe="norm",
        integrity={"base_unchanged": True, "reload_logit_difference": 2e-6, "test_patients_trained_on": 0.0},
        candidate=classified("a", truth, skill, seed=2), in_use=classified("b", truth, 2.2, seed=3),
        baseline=classified("b", truth, 2.2, seed=3), local_only=classified("d", truth, 1.4, seed=4),
        thresholds={"candidate": (0.42,) * len(outputs), "in_use": halves, "baseline": halves},
        calibration=classified("a", kept, skill, seed=9, of="cal"), retention={"sealed in 2025": older},
        groups=groups_of(count), temporal=tuple(f"item{n:04d}" for n in range(count - count // 4, count)),
        curve=curve, outputs=outputs,
    )  # fmt: skip


def segmentation(count: int = 90) -> Evidence:
    """Two segments; of some cases the model in use misses one altogether."""
    rng = np.random.default_rng(3)
    hard = rng.beta(6, 2, (count, 2))

    def answers(version: str, gain: float) -> Answers:
        dice = np.clip(hard + gain + 0.02 * rng.standard_normal((count, 2)), 0, 0.98)
        dice[:2, 1] = np.nan
        dice[5, 0] = 0.0 if gain < 0.05 else 0.6
        names, empty = tuple(f"item{n:04d}" for n in range(count)), np.zeros((0, 0))
        return Answers(version * 32, names, patients(count), empty, empty, empty, dice)

    return Evidence(
        model="organ", kind="segmentation", recipe="lpft", integrity={"reload_logit_difference": 0.0},
        candidate=answers("a", 0.08), in_use=answers("b", 0.0), baseline=answers("c", 0.0), local_only=None,
        thresholds={}, calibration=nobody(), groups=groups_of(count),
        outputs=("Anterior", "Posterior"),
    )  # fmt: skip


def detection(count: int = 80) -> Evidence:
    """One lesion in every second image."""
    lesions = tuple(n % 2 for n in range(count))

    def answers(version: str, found: float, seed: int) -> Answers:
        rng = np.random.default_rng(seed)
        hits = tuple(
            tuple((float(rng.beta(2, 4)), False) for _ in range(rng.poisson(1.2)))
            + (((float(rng.beta(5, 2)), True),) if lesion and rng.random() < found else ())
            for lesion in lesions
        )
        names, empty = tuple(f"item{n:04d}" for n in range(count)), np.zeros((0, 0))
        return Answers(version * 32, names, patients(count), empty, empty, empty, empty, hits, lesions)

    return Evidence(
        model="nodule", kind="detection", recipe="full", integrity={"reload_logit_difference": 0.0},
        candidate=answers("a", 0.9, 1), in_use=answers("b", 0.8, 2), baseline=answers("b", 0.8, 2), local_only=None,
        thresholds=dict.fromkeys(("candidate", "in_use", "baseline"), (0.5,)), calibration=nobody(),
        groups=groups_of(count), outputs=("Nodule",),
    )  # fmt: skip


def nobody() -> Answers:
    """Of a segmentation or detection nothing is fitted on the calibration split."""
    empty = np.zeros((0, 0))
    return Answers("a" * 32, (), (), empty, empty, empty, empty)


def training_set(count: int, outputs: int) -> TrainingSet:
    shares = [split for split, share in SHARES.items() for _ in range(round(20 * share))]
    splits = shares * (count // 20 + 1)
    items = tuple(
        Item(
            f"item{n:04d}", f"{n:04d}", f"study{n}", splits[n], tuple(float(n % 3 == 0) for _ in range(outputs)),
            assisted=n % 20 == 17, when_s=NOON - (n % 300) * DAY_S, groups=groups_of(count)[f"item{n:04d}"],
            source=Source.SR if n % 4 else Source.REPORT,
        )
        for n in range(count)
    )  # fmt: skip
    return TrainingSet("9f" * 32, "chest", "1a" * 32, "2b" * 32, items, folder=None)  # type: ignore[arg-type]


FITTED: dict[str, object] = {
    "recipe": "norm", "trainable": 83_458, "total": 6_954_881, "learning_rate": 0.00113, "epochs": 17,
    "seed": 20261121, "deterministic": True, "wise_alpha": None, "seconds": 1834.2, "items_seen": 8_211,
    "patients": 604, "file": "adapter.safetensors",
    "versions": {"torch": "2.13.0", "monai": "1.6.1", "dicomnode": "0.2.0"},
    "cv": {"head": {"auc": 0.902, "se": 0.011}, "norm": {"auc": 0.931, "se": 0.009}},
    "trials": [{"learning_rate": 3e-4, "auc": 0.921}, {"learning_rate": 1.13e-3, "auc": 0.931},
               {"learning_rate": 4e-3, "auc": float("nan")}],
    "history": [{"epoch": n, "loss": 0.2 + 0.5 * 0.8**n} for n in range(17)],
    "calibration": [{"index": 0, "slope": 1.08, "intercept": -0.11, "threshold": 0.42}],
}  # fmt: skip


def told(evidence: Evidence, *, pictures: int = 0) -> Told:
    """All that a report on this evidence tells; the verdict is the gate's."""
    plan = GatePlan()
    statements = ("Adults' radiographs were not part of what the base was trained on.",)
    domain = ("Series of modality DX, CR.", "Patients of 1 to 17 years.", "View positions AP, PA.")
    card = Card("chest", "Pneumonia in chest radiographs", "Marks radiographs for an earlier reading.",
                evidence.kind, evidence.outputs, statements, domain)  # fmt: skip
    facts = {"Candidate": "aa" * 32, "Base": "bb" * 32, "Training set": "9f" * 32, "Preprocessing": "2b" * 32,
             "Code": "dicomnode 0.2.0"}  # fmt: skip
    data = data_of(
        training_set(510, len(evidence.outputs)), {"opted out": 3, "no Patient ID": 2, "two faces in one image": 1}
    )
    return Told(
        evidence, judge(plan, evidence, 2, seed=1), plan, card, FITTED, facts, data,
        gallery=gallery(pictures), decisions=decisions(), looks=looks(), versions=versions(),
        version="1.0.0+learned.2", node="DICOMNODE", made_s=NOON,
    )  # fmt: skip


def gallery(count: int) -> list[Picture]:
    """Grey discs, with a brighter lesion in the overlay."""
    words = {
        "correct": "Label: present. Candidate: 0.94.", "wrong": "Label: absent. Candidate: 0.81.",
        "uncertain": "Label: present. Candidate: 0.44, threshold 0.42.",
    }  # fmt: skip
    return [Picture(role, said, disc(n, False), disc(n, True)) for role, said in words.items() for n in range(count)]


def disc(number: int, marked: bool) -> bytes:
    rows, columns = np.mgrid[0:96, 0:96]
    image = np.where((rows - 48) ** 2 + (columns - 48) ** 2 < 40**2, 90, 12)[..., None] * np.ones(3)
    if marked:
        glow = np.exp(-((rows - 30 - 9 * number) ** 2 + (columns - 55) ** 2) / 150)
        image = image + glow[..., None] * np.array([160, 60, 0])
    file = io.BytesIO()
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def decisions() -> list[DecisionRow]:
    row = DecisionRow(number=1, at_s=NOON - 40 * DAY_S, what="promoted", model="chest", digest="cc" * 32,
                      by="Dr A. Yamada", reason="benefit proven, shadow period without a surprise",
                      details={}, before="0" * 64, hash="1" * 64)  # fmt: skip
    return [row]


def looks() -> list[LookRow]:
    one = LookRow(sealed_set="5e" * 32, look=1, alpha=0.0125, candidate="cc" * 32, at_s=NOON - 60 * DAY_S,
                  verdict="PROMOTE", marked="")  # fmt: skip
    two = LookRow(sealed_set="5e" * 32, look=2, alpha=0.0125 / 3, candidate="aa" * 32, at_s=NOON, verdict="", marked="")
    return [one, two]


def versions() -> list[LearnedVersionRow]:
    row = LearnedVersionRow(digest="cc" * 32, model="chest", version="1.0.0+learned.1", folder="", parent="bb" * 32,
                            base="bb" * 32, recipe="head", state="in use", verdict="PROMOTE",
                            created_s=NOON - 61 * DAY_S, manifest={})  # fmt: skip
    return [row]


def without(evidence: Evidence, *names: str) -> Evidence:
    """The same with some parts missing."""
    blank: dict[str, object] = {"local_only": None, "curve": (), "groups": {}, "retention": {}, "temporal": ()}
    return replace(evidence, **{name: blank[name] for name in names})  # type: ignore[arg-type]
