"""An answer job: what a version says of items, through the same network, inferer and calibration as at inference."""

from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from torch import Tensor

from dicomnode.bundles.dicom_toml import Kind
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import Bundle
from dicomnode.infer.classify import logits_of_output, probability
from dicomnode.infer.forward import Forward
from dicomnode.infer.segment import labels_of
from dicomnode.learn.evaluate.answers import FILE, save_answers
from dicomnode.learn.evaluate.hits import hits_of
from dicomnode.learn.orders import AnswerOrder
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.train.job import opened
from dicomnode.learn.train.loop import Say
from dicomnode.learn.train.pool import Batch, ItemPool, files
from dicomnode.learn.train.segmenting import dice
from dicomnode.learn.values import Answers, Item

Row = tuple[float, ...]


def answer(order: AnswerOrder, folder: Path, say: Say) -> dict[str, object]:
    """Ask a version about items; the answers lie in the job's folder when this returns.

    Raises:
        ModelFault: the version or the set is not what the order says, or an item is not in the set.
    """
    bundle, device = opened(order)
    training = load_set(order.training_set)
    items = _named(order, {item.item_id: item for item in training.items})
    pool = ItemPool(files(training, items), cached=False)
    forward = Forward(bundle.network, bundle.inferer, device, allow_cpu=True)
    asking = _Asking(bundle, forward)
    for n in range(len(items)):
        asking.ask(pool.sample(n))
        say({"stage": "answer", "done": n + 1, "of": len(items)})
    save_answers(folder / FILE, asking.answers(order.digest, items))
    return {"file": FILE, "items": len(items)}


def _named(order: AnswerOrder, known: dict[str, Item]) -> tuple[Item, ...]:
    if missing := [item_id for item_id in order.items if item_id not in known]:
        raise ModelFault(f"item {missing[0][:12]}… is not in the training set")
    if not order.items:
        raise ModelFault("there is no item to answer")
    return tuple(known[item_id] for item_id in order.items)


class _Asking:
    """Answers as they come in."""

    def __init__(self, bundle: Bundle, forward: Forward) -> None:
        self.bundle, self.forward, self.kind = bundle, forward, bundle.dicom.model.kind
        self._logits: list[Row] = []
        self._dice: list[Row] = []
        self._hits: list[tuple[tuple[float, bool], ...]] = []
        self._lesions: list[int] = []

    def ask(self, sample: Batch) -> None:
        """Ask about one item."""
        image: Tensor = sample["image"][None]
        self.forward.begin(tuple(image.shape[2:]))
        if self.kind is Kind.DETECTION:
            self._hits.append(hits_of(self.bundle, self.forward.boxes(image), sample))
            self._lesions.append(len(sample["boxes"]))
        elif self.kind is Kind.SEGMENTATION:
            self._dice.append(dice(self.bundle, labels_of(self.bundle, self.forward(image)[0]), sample["mask"][0]))
        else:
            self._logits.append(logits_of_output(self.bundle, MetaTensor(image[0]), self.forward(image)))

    def answers(self, version: str, items: tuple[Item, ...]) -> Answers:
        """All of them."""
        findings = self.bundle.dicom.findings if self._logits else ()
        logits = [[row[finding.index] for finding in findings] for row in self._logits]
        told = [[probability(f, logit) for f, logit in zip(findings, row, strict=True)] for row in logits]
        targets = [[np.nan if target is None else target for target in item.targets] for item in items]
        shape = (len(items), -1) if items else (0, 0)
        return Answers(
            version,
            tuple(item.item_id for item in items),
            tuple(item.patient for item in items),
            _table(targets if self._logits else [], shape),
            _table(logits, shape),
            _table(told, shape),
            _table(self._dice, shape),
            tuple(self._hits),
            tuple(self._lesions),
        )


def _table(rows: "list[list[float]] | list[Row]", shape: tuple[int, int]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(shape if rows else (shape[0], 0))
