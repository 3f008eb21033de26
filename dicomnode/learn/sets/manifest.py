"""The manifest of a training set: which items, of whom, with what label. Its digest is its name.

The items themselves lie in one folder for all sets, beside that of the manifests: `sets/<digest>.json`, `items/`.
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dicomnode.archive.files import write_whole
from dicomnode.errors import ModelFault
from dicomnode.learn.values import Item, Source, Split, TrainingSet

FORMAT = 1
TRAINING, SETS, ITEMS = "training", "sets", "items"
"""Folders below the state folder, and the two below that."""
LEFT_OUT = ".left-out.json"
"""Beside a manifest: what is not in it, and why."""


def digest_of(training: TrainingSet) -> str:
    """SHA-256 over what a set holds, hex; where it lies does not count."""
    return hashlib.sha256(_text(training).encode()).hexdigest()


def save_set(training: TrainingSet, folder: Path) -> Path:
    """Write the manifest below a folder, named for its digest: whole or not at all."""
    path = folder / f"{digest_of(training)}.json"
    write_whole(path, _text(training).encode())
    return path


def load_set(path: Path) -> TrainingSet:
    """The set of a manifest.

    Raises:
        ModelFault: there is none, it is not what its name says, or one of its items is gone.
    """
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        items = tuple(_item(one) for one in told["items"])
        folder = path.parent.parent / ITEMS
        found = TrainingSet("", told["model"], told["model_digest"], told["preprocessing"], items, folder)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ModelFault(f"training set {path.stem[:12]}… cannot be read: {fault}; make it again") from fault
    if told.get("forgotten"):
        raise ModelFault(f"a patient of training set {path.stem[:12]}… was forgotten: make it again")
    if digest_of(found) != path.stem:
        raise ModelFault(f"training set {path.stem[:12]}… is not what its name says: make it again")
    if missing := sum(1 for item in items if not (folder / item.file).is_file()):
        raise ModelFault(f"{missing} items of training set {path.stem[:12]}… are gone: make it again")
    return replace(found, digest=path.stem)


def manifest_of(state: Path, digest: str) -> Path:
    """Where the list of a training set's items stands."""
    return state / TRAINING / SETS / f"{digest}.json"


def left_out_of(manifest: Path) -> dict[str, int]:
    """Of a set, how many labelled studies are not in it, by reason."""
    path = manifest.with_name(f"{manifest.stem}{LEFT_OUT}")
    if not path.is_file():
        return {}
    return dict(Counter(str(one["why"]) for one in json.loads(path.read_text(encoding="utf-8"))))


def _text(training: TrainingSet) -> str:
    told = {
        "format": FORMAT,
        "model": training.model,
        "model_digest": training.model_digest,
        "preprocessing": training.preprocessing,
        "items": [asdict(item) for item in training.items],
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _item(told: dict[str, Any]) -> Item:
    kinds = {"split": Split(told["split"]), "source": Source(told["source"]), "targets": tuple(told["targets"])}
    return Item(**(told | kinds))
