"""Near-duplicate pixels of two patients: mostly one patient under two IDs, who must not be in two splits.

Thumbnails are compared by their correlation, once as they are and once less what all images of a model share: chests
look alike, one chest looks like itself.
"""

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from sqlalchemy.orm import Session

from dicomnode.index.learning import DuplicateRow
from dicomnode.learn.values import Item, Split

ALIKE = 0.95
"""Correlation of two thumbnails from which they may be of one image."""
ALIKE_BEYOND = 0.90
"""The same of what is left without the mean of all."""
ALIKE_OF_FEW = 0.998
"""Where there are too few images to know what they share."""
FEW = 20
BLOCK = 1024
KEPT_FIRST = (Split.TEST, Split.RETENTION, Split.VALIDATION, Split.CALIBRATION, Split.TRAIN)
THUMBNAIL = "thumbnail"
"""Key in an item file's metadata."""


@dataclass(frozen=True)
class Alike:
    """Two items of two patients."""

    one: Item
    other: Item
    distance: float
    """1 - correlation."""


def near_duplicates(items: Sequence[Item], folder: Path) -> list[Alike]:
    """Pairs of items of two patients whose pixels are nearly the same, in a fixed order."""
    groups: dict[int, list[tuple[Item, NDArray[np.float32]]]] = {}
    for item in sorted(items, key=lambda item: item.item_id):
        grey = _grey(folder / item.file)
        if grey is not None:
            groups.setdefault(len(grey), []).append((item, grey))
    return [pair for group in groups.values() for pair in _pairs(group)]


def leave_out(pairs: Sequence[Alike], trained: Mapping[str, bool]) -> dict[str, str]:
    """Item id to the reason, of those of two splits that must go, so that nobody is trained on and tested.

    The one on the test's side stays. Where the other patient was trained on already, the test's goes instead.

    Args:
        pairs: what was found.
        trained: by patient, whether a version was made with it.
    """
    gone: dict[str, str] = {}
    for pair in pairs:
        if pair.one.split is pair.other.split or {pair.one.item_id, pair.other.item_id} & set(gone):
            continue
        first, second = sorted((pair.one, pair.other), key=lambda item: KEPT_FIRST.index(item.split))
        known = trained.get(second.patient, False) and not trained.get(first.patient, False)
        loser, keeper = (first, second) if known else (second, first)
        gone[loser.item_id] = f"nearly the same pixels as an image of another patient in {keeper.split}"
    return gone


def note(session: Session, model: str, pairs: Sequence[Alike]) -> None:
    """List them for a person, who may merge the patients."""
    for pair in pairs:
        one, other = sorted((pair.one.item_id, pair.other.item_id))
        session.merge(DuplicateRow(one=one, other=other, model=model, distance=pair.distance, at_s=time.time()))


def _pairs(group: list[tuple[Item, NDArray[np.float32]]]) -> Iterator[Alike]:
    items = [item for item, _ in group]
    plain = np.stack([grey for _, grey in group])
    beyond = _normal(plain - plain.mean(axis=0)) if len(items) >= FEW else None
    for start in range(0, len(items), BLOCK):
        close = plain[start : start + BLOCK] @ plain.T
        found = close >= (ALIKE if beyond is not None else ALIKE_OF_FEW)
        if beyond is not None:
            found &= beyond[start : start + BLOCK] @ beyond.T >= ALIKE_BEYOND
        for row, column in np.argwhere(np.triu(found, start + 1)):
            one, other = items[start + row], items[column]
            if one.patient != other.patient:
                yield Alike(one, other, max(0.0, 1.0 - float(close[row, column])))


def _normal(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), dtype=np.float32)


def _grey(file: Path) -> NDArray[np.float32] | None:
    """The thumbnail of an item, of mean 0 and length 1; None of a blank image, and of a patient forgotten just now."""
    try:
        with safe_open(file, "np") as opened:
            text = (opened.metadata() or {}).get(THUMBNAIL, "")
    except FileNotFoundError:
        return None
    grey = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.float32)
    if not len(grey) or not grey.std():
        return None
    grey = grey - grey.mean()
    return np.asarray(grey / np.linalg.norm(grey), dtype=np.float32)
