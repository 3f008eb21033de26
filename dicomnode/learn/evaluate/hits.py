"""Which of a detector's boxes hit a lesion: each lesion is hit once, by the most probable box that does.

A box hits where it overlaps the lesion's by a tenth (IoU), or its centre lies inside: for small lesions in volumes
the overlap alone judges the size, not the finding.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dicomnode.infer.bundle import Bundle
from dicomnode.infer.classify import NEARLY, probability
from dicomnode.infer.detect import parts_of

LEAST_IOU = 0.1
Hits = tuple[tuple[float, bool], ...]
Boxes = NDArray[np.float64]


def hits_of(
    bundle: Bundle, found: Mapping[str, Tensor], sample: Mapping[str, Tensor]
) -> tuple[tuple[float, bool], ...]:
    """Calibrated probability of each box, the highest first, and whether it hit a lesion of its label.

    Args:
        bundle: whose network was asked.
        found: boxes, labels and scores as it gave them.
        sample: "boxes" (box, 2 × axes) on the network's grid and "labels" (box,): the truth.
    """
    boxes, labels, scores = parts_of(bundle, found)
    truth = np.asarray(sample["boxes"], np.float64).reshape(-1, boxes.shape[1])
    kinds, free = np.asarray(sample["labels"]), np.ones(len(truth), bool)
    findings = {finding.index: finding for finding in bundle.dicom.findings}
    told = []
    for n in np.argsort(-scores, kind="stable"):
        if (finding := findings.get(int(labels[n]))) is None:
            continue
        logit = float(torch.logit(torch.tensor(scores[n], dtype=torch.float64), eps=NEARLY))
        candidates = np.flatnonzero(free & (kinds == labels[n]))
        hit = _first_hit(boxes[n], truth, candidates)
        if hit is not None:
            free[hit] = False
        told.append((probability(finding, logit), hit is not None))
    return tuple(told)


def _first_hit(box: Boxes, truth: Boxes, candidates: NDArray[np.intp]) -> int | None:
    """The lesion that a box overlaps most, of those that it hits."""
    axes = len(box) // 2
    centre = (box[:axes] + box[axes:]) / 2
    best: tuple[float, int] | None = None
    for n in candidates:
        inside = bool(np.all((truth[n, :axes] <= centre) & (centre <= truth[n, axes:])))
        overlap = iou(box, truth[n])
        if (inside or overlap >= LEAST_IOU) and (best is None or overlap > best[0]):
            best = (overlap, int(n))
    return None if best is None else best[1]


def iou(one: Boxes, other: Boxes) -> float:
    """Intersection over union of two boxes (from ..., to ...)."""
    axes = len(one) // 2
    edges = np.minimum(one[axes:], other[axes:]) - np.maximum(one[:axes], other[:axes])
    common = float(np.prod(np.clip(edges, 0, None)))
    whole = float(np.prod(one[axes:] - one[:axes]) + np.prod(other[axes:] - other[:axes])) - common
    return common / whole if whole > 0 else 0.0
