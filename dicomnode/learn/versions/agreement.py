"""Whether two versions say the same of one volume."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.encode.tracking import finding_name
from dicomnode.encode.voxel import voxel_ml
from dicomnode.summary import percent
from dicomnode.values import Classification, Detection, Lesion, Prediction, Segmentation, Volume

VOLUME_SHARE = 0.10
"""Volumes that differ by more, as a share of the larger, disagree."""
OVERLAP = 0.10
"""Two boxes are of one lesion from this intersection over union on."""

Answered = tuple[Volume, Prediction]


@dataclass(frozen=True)
class Agreement:
    """What became of a comparison."""

    agrees: bool | None
    """None: one of the two had no answer."""
    words: str
    figures: dict[str, object] = field(default_factory=dict)
    """By finding or segment; "positive": whether the candidate found anything."""


def neither(words: str) -> Agreement:
    """Where one of the two had no answer."""
    return Agreement(None, words)


def agreement(rules: DicomToml, candidate: Answered, in_use: Answered) -> Agreement:
    """Compare a candidate with the version in use.

    Args:
        rules: the candidate's dicom.toml.
        candidate: its volume and what it said.
        in_use: the same of the version in use.

    Classification: each finding on the same side of its threshold. Segmentation: each volume within VOLUME_SHARE, or
    both below the smallest that is told. Detection: every lesion of one has its counterpart in the other.
    """
    for name, (_, said) in (("candidate", candidate), ("version in use", in_use)):
        if not (said.domain.inside or said.domain.overridden):
            return neither(f"outside the evaluated domain of the {name}: {'; '.join(said.domain.reasons)}")
    ours, theirs = candidate[1].answer, in_use[1].answer
    if isinstance(ours, Classification) and isinstance(theirs, Classification):
        return _classified(rules, ours, theirs)
    if isinstance(ours, Segmentation) and isinstance(theirs, Segmentation):
        return _segmented(rules, candidate[0], ours, theirs)
    if isinstance(ours, Detection) and isinstance(theirs, Detection):
        return _detected(rules, ours, theirs)
    return neither("the two give answers of different kinds")


def _classified(rules: DicomToml, ours: Classification, theirs: Classification) -> Agreement:
    figures: dict[str, object] = {}
    differing = []
    for one, other in zip(ours.scores, theirs.scores, strict=True):
        name = finding_name(rules.findings[one.index])
        if one.probability is None or other.probability is None:
            return neither(f"{name} has no probability")
        difference = one.probability - other.probability
        figures[name] = {"candidate": one.probability, "in_use": other.probability, "difference": difference}
        if one.positive != other.positive:
            differing.append(f"{name}: {percent(one.probability)} instead of {percent(other.probability)}")
    figures["positive"] = any(score.positive for score in ours.scores)
    return Agreement(not differing, _words(differing, "the same side of every threshold"), figures)


def _segmented(rules: DicomToml, volume: Volume, ours: Segmentation, theirs: Segmentation) -> Agreement:
    if ours.labels.shape != theirs.labels.shape:
        return neither("the two looked at different images")
    ml = voxel_ml(volume)
    figures: dict[str, object] = {}
    differing, found = [], False
    for segment in rules.segments:
        one, other = ours.labels == segment.index, theirs.labels == segment.index
        volumes = (float(one.sum()) * ml, float(other.sum()) * ml)
        found |= volumes[0] > segment.min_volume_ml
        figures[segment.label] = {"candidate_ml": volumes[0], "in_use_ml": volumes[1], "dice": _dice(one, other)}
        same = abs(volumes[0] - volumes[1]) <= VOLUME_SHARE * max(volumes)
        if not same and max(volumes) > segment.min_volume_ml:
            differing.append(f"{segment.label}: {volumes[0]:.2f} ml instead of {volumes[1]:.2f} ml")
    figures["positive"] = found
    return Agreement(not differing, _words(differing, f"volumes within {VOLUME_SHARE:.0%}"), figures)


def _detected(rules: DicomToml, ours: Detection, theirs: Detection) -> Agreement:
    figures: dict[str, object] = {}
    differing = []
    for finding in rules.findings:
        one = [lesion for lesion in ours.lesions if lesion.index == finding.index]
        other = [lesion for lesion in theirs.lesions if lesion.index == finding.index]
        matched = _matched(one, other)
        name = finding_name(finding)
        figures[name] = {"candidate": len(one), "in_use": len(other), "matched": matched}
        if not len(one) == len(other) == matched:
            differing.append(f"{name}: {len(one)} instead of {len(other)}, {matched} in common")
    figures["positive"] = bool(ours.lesions)
    return Agreement(not differing, _words(differing, "the same lesions"), figures)


def _words(differing: Sequence[str], same: str) -> str:
    return "; ".join(differing) if differing else same


def _dice(one: np.ndarray, other: np.ndarray) -> float | None:
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else None


def _matched(ours: Sequence[Lesion], theirs: Sequence[Lesion]) -> int:
    """Pairs of lesions that overlap, each lesion in one pair at most, the best overlap first."""
    pairs = [(overlap(a, b), n, m) for n, a in enumerate(ours) for m, b in enumerate(theirs)]
    left, right = set[int](), set[int]()
    for share, n, m in sorted(pairs, reverse=True):
        if share >= OVERLAP and n not in left and m not in right:
            left.add(n)
            right.add(m)
    return len(left)


def overlap(one: Lesion, other: Lesion) -> float:
    """Intersection over union of two boxes."""
    inside = 1.0
    for (low, high), (other_low, other_high) in zip(one.box, other.box, strict=True):
        inside *= max(0.0, min(high, other_high) - max(low, other_low))
    union = _size(one) + _size(other) - inside
    return inside / union if union > 0 else 0.0


def _size(lesion: Lesion) -> float:
    return float(np.prod([high - low for low, high in lesion.box]))
