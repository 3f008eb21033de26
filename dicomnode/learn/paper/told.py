"""What a report on a candidate tells: all of it is handed over, nothing is looked up while it is written."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicomnode.bundles.dicom_toml import DicomToml, Domain
from dicomnode.config.learning import GatePlan
from dicomnode.index.learning import DecisionRow, LearnedVersionRow, LookRow
from dicomnode.learn.values import Evidence, Judgement, Split, TrainingSet

GALLERY = "gallery.json"


@dataclass(frozen=True)
class Card:
    """What the model is, from its dicom.toml."""

    name: str
    title: str
    intended_use: str
    kind: str
    outputs: tuple[str, ...]
    """Meaning of each output, in the order of the answers' columns."""
    limits: tuple[str, ...] = ()
    """What it is not for, and what it was not evaluated on, one sentence each."""
    domain: tuple[str, ...] = ()
    """What was evaluated: ages, views, devices, kinds of series."""


@dataclass(frozen=True)
class Counted:
    """One split of a training set."""

    patients: int
    items: int
    positives: tuple[int, ...]
    """Patients with each output."""


@dataclass(frozen=True)
class Data:
    """A training set in numbers of patients; nothing in it names one."""

    splits: dict[Split, Counted] = field(default_factory=dict)
    groups: dict[str, dict[str, int]] = field(default_factory=dict)
    """"label source", "scanner", "sex", "age_band", "site": patients of each value."""
    months: dict[str, int] = field(default_factory=dict)
    """"2026-05": patients whose newest study came then."""
    assisted: int = 0
    """Items whose label was made with our result in sight; never in the sealed test."""
    excluded: dict[str, int] = field(default_factory=dict)
    """Studies left out, by reason."""


@dataclass(frozen=True)
class Picture:
    """One case of the gallery: from the validation patients, since nobody sees those of the sealed test."""

    role: str
    """"correct", "wrong" or "uncertain"."""
    words: str
    """What the label says and what the candidate says."""
    image: bytes
    """PNG, grey."""
    overlay: bytes
    """PNG: the same with the candidate's attention, or its outline beside the label's."""


@dataclass(frozen=True)
class Told:
    """All that the report says."""

    evidence: Evidence
    judgement: Judgement
    plan: GatePlan
    card: Card
    fitted: Mapping[str, object]
    """As the training job gave it: recipe, learning rate, trials, history ..."""
    facts: Mapping[str, str]
    """Of the manifest, by plain names: "Candidate", "Base", "Training set", "Code" ... to digests and versions."""
    data: Data
    gallery: Sequence[Picture] = ()
    decisions: Sequence[DecisionRow] = ()
    looks: Sequence[LookRow] = ()
    """At the sealed set of this candidate."""
    versions: Sequence[LearnedVersionRow] = ()
    """Made before of this model, and this one."""
    version: str = ""
    """Of the candidate, as its metadata.json says."""
    node: str = ""
    shadow: str = "200 studies or 14 days"
    automatic: bool = False
    """The site has the node promote by itself, without a person ([learn] promote)."""
    made_s: float = 0.0


def read_gallery(folder: Path) -> tuple[Picture, ...]:
    """The pictures that a gallery job drew into its folder; none where it did not."""
    if not (folder / GALLERY).is_file():
        return ()
    rows = json.loads((folder / GALLERY).read_text(encoding="utf-8"))
    return tuple(
        Picture(row["role"], row["words"], (folder / row["image"]).read_bytes(), (folder / row["overlay"]).read_bytes())
        for row in rows
    )


def card_of(dicom: DicomToml, domain: Domain | None = None) -> Card:
    """The card of a bundle; the domain is what the candidate's own sealed test covered, where it differs."""
    about, names = dicom.model, dicom.output_names
    limits = (*about.statements, "Not a medical device. The result never replaces the reading by a physician.")
    series = f"Series of modality {', '.join(dicom.series.modalities)}, as the series rules of the model admit them."
    found = (series, *_domain(domain or dicom.domain))
    return Card(about.name, about.title, about.intended_use, about.kind.value, names, limits, found)


def data_of(training: TrainingSet, excluded: Mapping[str, int] | None = None) -> Data:
    """A training set in numbers of patients."""
    splits = {split: _counted(training, split) for split in Split}
    groups: dict[str, dict[str, set[str]]] = {}
    newest: dict[str, float] = {}
    for item in training.items:
        for name, value in {"label source": item.source.value, **item.groups}.items():
            groups.setdefault(name, {}).setdefault(value or "not told", set()).add(item.patient)
        newest[item.patient] = max(item.when_s, newest.get(item.patient, 0.0))
    months = Counter(time.strftime("%Y-%m", time.gmtime(at_s)) for at_s in newest.values())
    counted = {name: {value: len(who) for value, who in sorted(found.items())} for name, found in groups.items()}
    assisted = sum(item.assisted for item in training.items)
    return Data(splits, counted, dict(sorted(months.items())), assisted, dict(excluded or {}))


def _counted(training: TrainingSet, split: Split) -> Counted:
    items = training.of(split)
    outputs = max((len(item.targets) for item in items), default=0)
    positives = (len({item.patient for item in items if item.targets[n : n + 1] == (1.0,)}) for n in range(outputs))
    return Counted(len(training.patients(split)), len(items), tuple(positives))


def _domain(domain: Domain) -> tuple[str, ...]:
    low, high = domain.min_age_years, domain.max_age_years
    said = []
    if low is not None or high is not None:
        until = f" to {high:g}" if high is not None else " and over"
        said.append(f"Patients of {low or 0:g}{until} years.")
    if domain.views:
        said.append(f"View positions {', '.join(domain.views)}.")
    said += [f"Only where {one.words()}." for one in domain.require]
    return tuple(said)
