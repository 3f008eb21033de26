"""A gallery job: what a version sees in some validation cases, as small pictures on the network's own grid.

Classifications get Grad-CAM of the finding they are shown for; segmentations and detections the outlines of label and
answer. The grid is the network's: what is left and right in the patient is not told.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.classify import NEARLY, attention, probability
from dicomnode.infer.detect import parts_of
from dicomnode.infer.forward import Forward
from dicomnode.infer.segment import labels_of
from dicomnode.learn.orders import GalleryOrder, Shown
from dicomnode.learn.paper.drawing import grey, heated, outlined, png
from dicomnode.learn.paper.told import GALLERY
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.train.job import opened
from dicomnode.learn.train.pool import Batch, ItemPool, files
from dicomnode.learn.values import Split

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Voxel = TypeVar("Voxel", bound=np.generic)


def gallery(order: GalleryOrder, folder: Path, say: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Draw the cases; pictures and their list lie in the job's folder when this returns.

    Raises:
        ModelFault: the version or the set is not what the order says, or a case is not of the validation patients.
    """
    bundle, device = opened(order)
    training = load_set(order.training_set)
    known = {item.item_id: item for item in training.of(Split.VALIDATION)}
    if not known.keys() >= {one.item for one in order.shown}:
        raise ModelFault("a case that is not of the validation patients is never shown")
    pool = ItemPool(files(training, [known[one.item] for one in order.shown]), cached=False)
    forward = Forward(bundle.network, bundle.inferer, device, allow_cpu=True)
    told = []
    for n, shown in enumerate(order.shown):
        image, overlay = _drawn(bundle, forward, pool.sample(n), shown)
        for name, picture in ((f"{n}.png", image), (f"{n}_overlay.png", overlay)):
            (folder / name).write_bytes(png(picture))
        told.append({"role": shown.role, "words": shown.words, "image": f"{n}.png", "overlay": f"{n}_overlay.png"})
        say({"stage": "gallery", "done": n + 1, "of": len(order.shown)})
    (folder / GALLERY).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return {"file": GALLERY, "pictures": len(told)}


def _drawn(
    bundle: Bundle, forward: Forward, sample: Batch, shown: Shown
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image: Tensor = torch.as_tensor(sample["image"]).float()
    kind, voxels = bundle.dicom.model.kind, image[0].numpy()
    if kind is Kind.CLASSIFICATION:
        found = _attention(bundle, image, shown)
        picture = grey(_plane(bundle, voxels, _of_most(found)))
        return picture, heated(picture, _plane(bundle, found, _of_most(found))) if found.any() else picture
    label, answer = _masks(bundle, forward, image, sample)
    place = _of_most(label if label.any() else answer)
    picture = grey(_plane(bundle, voxels, place))
    return picture, outlined(picture, _plane(bundle, label, place), _plane(bundle, answer, place))


def _attention(bundle: Bundle, image: Tensor, shown: Shown) -> Floats:
    """Zero where the model names no layer to look at."""
    layer = bundle.dicom.saliency.layer
    if layer is None:
        return np.zeros(image.shape[1:], np.float32)
    column = bundle.dicom.findings[shown.output].index
    return attention(bundle.network, layer, image, column)[0].cpu().numpy().astype(np.float32)


def _masks(bundle: Bundle, forward: Forward, image: Tensor, sample: Batch) -> tuple[Bools, Bools]:
    """Where the label and the candidate see anything, on the network's grid."""
    forward.begin(tuple(image.shape[1:]))
    if bundle.dicom.model.kind is Kind.SEGMENTATION:
        answer = labels_of(bundle, forward(image[None])[0]).numpy() > 0
        return torch.as_tensor(sample["mask"])[0].numpy() > 0, answer
    boxes, labels, scores = parts_of(bundle, forward.boxes(image[None]))
    kept = [_is_told(bundle, int(label), score) for label, score in zip(labels, scores, strict=True)]
    truth = np.asarray(sample["boxes"], np.float64).reshape(-1, boxes.shape[1])
    return _filled(truth, image.shape[1:]), _filled(boxes[np.asarray(kept, bool)], image.shape[1:])


def _is_told(bundle: Bundle, label: int, score: float) -> bool:
    """Whether a box would be reported."""
    finding = next((finding for finding in bundle.dicom.findings if finding.index == label), None)
    if finding is None:
        return False
    certainty = float(torch.logit(torch.tensor(score, dtype=torch.float64), eps=NEARLY))
    return probability(finding, certainty) >= finding.threshold


def _filled(boxes: NDArray[np.float64], shape: torch.Size) -> Bools:
    """Boxes (n, from ... to ...) along the axes of the grid as a mask."""
    mask, axes = np.zeros(tuple(shape), np.bool_), len(shape)
    for box in boxes:
        spans = zip(np.floor(box[:axes]), np.ceil(box[axes:]), shape, strict=True)
        mask[tuple(slice(max(0, int(low)), min(size, int(high) + 1)) for low, high, size in spans)] = True
    return mask


def _of_most(found: NDArray[Voxel]) -> int:
    """Of a volume (x, y, z), the plane of the last axis with most in it; the middle one where there is nothing."""
    if found.ndim < 3 or not found.any():
        return int(found.shape[-1] // 2)
    return int(found.astype(np.float64).sum(axis=(0, 1)).argmax())


def _plane(bundle: Bundle, values: NDArray[Voxel], place: int) -> NDArray[Voxel]:
    """A plane as (row, column): MONAI's readers give (column, row), and slices along the last axis."""
    plane = values[..., place] if values.ndim == 3 else values
    return plane if values.ndim == 2 and bundle.rows_first else plane.T
