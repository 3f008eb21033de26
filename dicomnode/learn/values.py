"""The frozen values that pass between the rooms of learning.

A patient is known here by a key alone: a keyed hash of issuer and Patient ID, after merges. Nothing here holds a
name, an ID, a birth date or an accession number, except a label that still waits for its study.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Source(StrEnum):
    """Where a label comes from."""

    PERSON = "person"
    """By command, by a named person."""
    SEG = "seg"
    """A segmentation that a reader drew or corrected."""
    RTSTRUCT = "rtstruct"
    SR = "sr"
    """A reader's report after TID 1500."""
    KEY_OBJECT = "key object"
    """A Key Object Selection that flags a study."""
    TABLE = "table"
    """CSV or JSON, by study UID or accession number."""
    REPORT = "report"
    """Report text, read by a labeler."""


SOURCE_RANK = {
    Source.PERSON: 0, Source.SEG: 1, Source.RTSTRUCT: 1, Source.SR: 2, Source.KEY_OBJECT: 3, Source.TABLE: 4,
    Source.REPORT: 5,
}  # fmt: skip
"""Of labels that contradict one another the lowest rank counts, and of one rank the newest; all are kept."""

SOURCE_WEIGHT = {
    Source.PERSON: 1.0, Source.SEG: 1.0, Source.RTSTRUCT: 1.0, Source.SR: 1.0, Source.KEY_OBJECT: 1.0,
    Source.TABLE: 1.0, Source.REPORT: 0.3,
}  # fmt: skip
"""Weight in training; a labeler that was measured (PPV and NPV at least 0.95) weighs `MEASURED`."""
MEASURED = 0.7


class What(StrEnum):
    """What a label says."""

    PRESENCE = "presence"
    """A finding is present (1), absent (0) or uncertain (none)."""
    MASK = "mask"
    """A label map on the source grid."""
    BOXES = "boxes"
    """Boxes of lesions on the source grid; none: no lesion."""


class LabelState(StrEnum):
    """Where a label stands."""

    WAITING = "waiting"
    """Its study is not known here yet."""
    ATTACHED = "attached"
    REFUSED = "refused"
    """It cannot be used; the reason says why."""
    WITHDRAWN = "withdrawn"
    """By a person, or its object was retracted; kept."""


class Split(StrEnum):
    """What a patient's studies are used for, for life."""

    TEST = "test"
    """Sealed: looked at through the gate alone, and each look is counted."""
    RETENTION = "retention"
    """A frozen test set of an older time: what must not be forgotten."""
    VALIDATION = "validation"
    CALIBRATION = "calibration"
    TRAIN = "train"


SHARES = {
    Split.TEST: 0.20, Split.RETENTION: 0.10, Split.VALIDATION: 0.15, Split.CALIBRATION: 0.15, Split.TRAIN: 0.40,
}  # fmt: skip


class RecipeName(StrEnum):
    """What a recipe trains."""

    AUTO = "auto"
    """Of those that the label count allows, the one that inner cross-validation by patient finds best."""
    RECALIBRATE = "recalibrate"
    """Temperature and decision thresholds alone."""
    HEAD = "head"
    """The last layer."""
    NORM = "norm"
    """Scale and shift of the norm layers, biases and head; running statistics frozen."""
    ADAPTER = "adapter"
    """LoRA on linear and 2D convolution layers, IA3 on 3D ones, and the head."""
    LPFT = "lpft"
    """The head first, then everything, held to the base (L2-SP, replay, WiSE-FT)."""
    FULL = "full"
    PLAIN = "plain"
    """The common published recipe, as a yardstick."""
    SCRATCH = "scratch"
    """The bundle's own network from random weights, on local data only: the third arm of every comparison."""


@dataclass(frozen=True)
class Item:
    """One labelled image or volume of a training set."""

    item_id: str
    """Digest of pixels, label and preprocessing, hex: names its file."""
    patient: str
    """Key of the patient: the group of every split and bootstrap."""
    study: str
    """Keyed hash of the Study Instance UID."""
    split: Split
    targets: tuple[float | None, ...] = ()
    """Of a classification: 1, 0 or None (unknown) for each finding of dicom.toml."""
    weight: float = 1.0
    assisted: bool = False
    """Its maker had seen our result: never in a sealed test."""
    when_s: float = 0.0
    """When the study was received: the temporal hold-out is the newest quarter of the sealed test's patients."""
    groups: dict[str, str] = field(default_factory=dict)
    """"sex", "age_band", "scanner" (manufacturer and model), "site"."""
    source: Source = Source.SR

    @property
    def file(self) -> str:
        """Below the folder of items: safetensors, "image" (channel, ...), and "mask" (...) or "boxes" and "labels"."""
        return f"{self.item_id[:2]}/{self.item_id}.safetensors"


@dataclass(frozen=True)
class TrainingSet:
    """The items of one model that a candidate is made and judged with."""

    digest: str
    """Of its manifest, hex."""
    model: str
    model_digest: str
    """Of the bundle whose preprocessing made it."""
    preprocessing: str
    """Digest of that preprocessing; another one refuses the set."""
    items: tuple[Item, ...]
    folder: Path
    """Of the item files."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Of a set just built: why labelled studies are not in it, and how many."""

    def of(self, *splits: Split) -> tuple[Item, ...]:
        """The items of some splits."""
        return tuple(item for item in self.items if item.split in splits)

    def judging(self, *splits: Split) -> tuple[Item, ...]:
        """The items of some splits by which anything may be judged.

        Report text that an unmeasured labeler read trains, and judges nothing.
        """
        return tuple(item for item in self.of(*splits) if item.source is not Source.REPORT or item.weight >= MEASURED)

    def patients(self, *splits: Split) -> frozenset[str]:
        """The patients of some splits."""
        return frozenset(item.patient for item in self.of(*splits))


@dataclass(frozen=True)
class Answers:
    """What one version says of some items, in their order."""

    version: str
    """Digest of the version."""
    item_ids: tuple[str, ...]
    patients: tuple[str, ...]
    targets: NDArray[np.float64]
    """(item, output); NaN where unknown. Of a segmentation or detection: empty."""
    logits: NDArray[np.float64]
    """(item, output), before calibration. Of a segmentation or detection: empty."""
    probabilities: NDArray[np.float64]
    """(item, output), calibrated as this version's dicom.toml says."""
    dice: NDArray[np.float64]
    """(item, segment); NaN where neither the label nor the answer has the segment. Else empty."""
    hits: tuple[tuple[tuple[float, bool], ...], ...] = ()
    """Of a detection, for each item: score, and whether the box hit a lesion (each lesion is hit once)."""
    lesions: tuple[int, ...] = ()
    """Of a detection: true lesions of each item."""


@dataclass(frozen=True)
class CurvePoint:
    """How good the recipe is with part of the labels."""

    share: float
    patients: int
    figure: Estimate


@dataclass(frozen=True)
class Evidence:
    """All that the gate judges a candidate by. Answers of several versions are on the same items, in one order."""

    model: str
    kind: str
    """`bundles.dicom_toml.Kind`."""
    recipe: str
    integrity: dict[str, float | bool | str]
    """What was measured of the candidate's files and of its base, for G0: name to figure or pass. `REQUIRED` in
    `evaluate.rules.g0_integrity` says which names must be there, `LIMITS` what is allowed."""
    candidate: Answers
    in_use: Answers
    baseline: Answers
    """The approved bundle that everything goes back to; on the sealed test, as the other two."""
    local_only: Answers | None
    """Trained from random weights on local data alone: the third arm."""
    thresholds: dict[str, tuple[float, ...]]
    """"candidate", "in_use", "baseline": decision threshold of each output, on the calibrated probability."""
    calibration: Answers
    """The candidate on the calibration split: prediction sets are fitted here."""
    retention: dict[str, tuple[Answers, Answers]] = field(default_factory=dict)
    """Older test sets by name: candidate, and model in use."""
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    """Item id to its groups ("sex", "age_band", "scanner", "site")."""
    temporal: tuple[str, ...] = ()
    """Item ids of the temporal hold-out."""
    curve: tuple[CurvePoint, ...] = ()
    outputs: tuple[str, ...] = ()
    """What each finding or segment is called; empty: they are numbered."""
    warnings: tuple[str, ...] = ()
    """Why it can end only as SHADOW or UNDERPOWERED ("full was named below its count: too few for a verdict")."""


class Verdict(StrEnum):
    """What the gate says of a candidate."""

    PROMOTE = "PROMOTE"
    SHADOW = "SHADOW"
    """Nothing speaks against it, and no declared benefit is proven."""
    REJECT = "REJECT"
    UNDERPOWERED = "UNDERPOWERED"
    """Too few patients to prove that it is not worse."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float
    level: float = 0.95
    n: int = 0
    """Patients it rests on."""


@dataclass(frozen=True)
class RuleResult:
    """What one rule of the gate found."""

    rule: str
    """"G0" ... "G8"."""
    version: int
    passed: bool | None
    """None: too few data to say, or it does not apply; the words tell which."""
    words: str
    """One sentence for a person, with the figures."""
    figures: dict[str, Estimate | float | str] = field(default_factory=dict)
    applies: bool = True
    """False: the rule asks nothing of a model of this kind, or there is nothing yet to ask it of."""


@dataclass(frozen=True)
class Judgement:
    """The gate's verdict, with every rule."""

    verdict: Verdict
    rules: tuple[RuleResult, ...]
    words: str
    """What follows, in a sentence or two."""
    look: int
    """Which look at this sealed set it was, from 1."""
    alpha: float
    """Spent on it."""
