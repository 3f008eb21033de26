"""A detection: the boxes that a network found, with calibrated probabilities, on the source grid.

MONAI's detectors give boxes as (first, first, first, last, last, last) along the axes of the network's image, in
which a voxel's centre has a whole number, as its affine has it. The bundle's own way to world coordinates and other
box modes is left out: we go back by the affine of the network's image, whatever turned, resampled or padded it.
"""

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from dicomnode.bundles.dicom_toml import Finding
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.classify import NEARLY, probability
from dicomnode.values import Detection, Lesion, Volume
from dicomnode.volume.metatensor import affine_ras

SCORES = "_scores"
"""MONAI names the scores after the labels: "label" and "label_scores"."""
MOST = 100
"""Lesions that one answer tells, the most probable ones."""
THINNEST = 1e-3
"""A box that is thinner, in voxels, lies outside the images."""


def detection(
    bundle: Bundle, volume: Volume, image: MetaTensor, found: Mapping[str, Tensor]
) -> tuple[Detection, tuple[str, ...]]:
    """The lesions at or above their thresholds, the most probable first, and notes.

    Args:
        bundle: whose network was asked.
        volume: the grid that the boxes are brought back to.
        image: what the network was given, with its affine.
        found: boxes, labels and scores, as MONAI's detectors give them.

    Raises:
        ModelFault: these are no boxes with labels and scores.
    """
    if bundle.postprocessing is not None:
        found = bundle.postprocessing({**found, bundle.image_key: image})
    boxes, labels, scores = parts_of(bundle, found)
    places = to_source_boxes(bundle, volume, image, boxes)
    lesions = sorted(_lesions(bundle, places, labels, scores), key=lambda lesion: -lesion.probability)
    notes = (f"the {MOST} most probable of {len(lesions)} findings are given",) if len(lesions) > MOST else ()
    return Detection(tuple(lesions[:MOST])), notes


def to_source_boxes(
    bundle: Bundle, volume: Volume, image: MetaTensor, boxes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Boxes (n, 2 × axes) on the network's image as (n, 3, 2): from and to, along slice, row and column.

    A voxel reaches from its index to its index + 1, as in SCOORD (PS3.3 C.10.5.1.2); cut off at the volume's edges.
    """
    flat = bundle.dicom.series.dimensions == 2
    axes = 2 if flat else 3
    if boxes.shape[1] != 2 * axes:
        raise ModelFault(f"bundle {bundle.folder.name} gave boxes of {boxes.shape[1]} numbers, not {2 * axes}")
    source = np.eye(4) if flat else affine_ras(volume.affine_lps)
    back = np.asarray(np.linalg.inv(source) @ np.asarray(image.affine), dtype=np.float64)
    low, high = corners_elsewhere(boxes, axes, back)
    order = (1, 0) if flat and not bundle.rows_first else (0, 1) if flat else (2, 1, 0)
    ends = np.stack([low[:, order], high[:, order]], axis=2) + 0.5
    if flat:
        ends = np.concatenate([np.tile([[[0.0, 1.0]]], (len(ends), 1, 1)), ends], axis=1)
    return np.asarray(np.clip(ends, 0, np.array(volume.voxels.shape)[:, None]))


def corners_elsewhere(
    boxes: NDArray[np.float64], axes: int, there: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest index (n, 3) that the corners of boxes (n, 2 × axes) have on another grid, `there` @ index."""
    choices = [[axis + axes * end for axis, end in enumerate(ends)] for ends in product((0, 1), repeat=axes)]
    corners = np.zeros((len(boxes), len(choices), 4))
    corners[..., :axes], corners[..., 3] = boxes[:, choices], 1.0
    found = (corners @ there.T)[..., :3]
    return found.min(axis=1), found.max(axis=1)


def parts_of(
    bundle: Bundle, found: Mapping[str, Tensor]
) -> tuple[NDArray[np.float64], NDArray[np.int_], NDArray[np.float64]]:
    """Boxes (n, 2 × axes), labels (n,) and scores (n,), whatever the bundle calls them."""
    named = {key: value for key, value in found.items() if key != bundle.image_key}
    score_key = next((key for key in named if key.endswith(SCORES)), "")
    label_key = score_key.removesuffix(SCORES)
    box_key = next((key for key in named if key not in {score_key, label_key}), "")
    if not (score_key and box_key and label_key in named):
        raise ModelFault(f"bundle {bundle.folder.name} gave {', '.join(named)}: not boxes, labels and label scores")
    keys = (box_key, label_key, score_key)
    boxes, labels, scores = (np.asarray(torch.as_tensor(named[key])).astype(float) for key in keys)
    if boxes.size == 0:
        return np.zeros((0, 2 * (2 if bundle.dicom.series.dimensions == 2 else 3))), np.zeros(0, int), np.zeros(0)
    if not len(boxes) == len(labels) == len(scores):
        raise ModelFault(f"bundle {bundle.folder.name} gave {len(boxes)} boxes with {len(scores)} scores")
    return boxes, labels.astype(int), scores


def _lesions(
    bundle: Bundle, places: NDArray[np.float64], labels: NDArray[np.int_], scores: NDArray[np.float64]
) -> Iterator[Lesion]:
    by_label = {finding.index: finding for finding in bundle.dicom.findings}
    for place, label, score in zip(places, labels.tolist(), scores.tolist(), strict=True):
        finding = by_label.get(label)
        if finding is None or (place[:, 1] - place[:, 0]).min() < THINNEST:
            continue
        found = _calibrated(finding, score)
        if found >= finding.threshold:
            yield Lesion.of(label, found, place.tolist())


def _calibrated(finding: Finding, score: float) -> float:
    return probability(finding, float(torch.logit(torch.tensor(score, dtype=torch.float64), eps=NEARLY)))
