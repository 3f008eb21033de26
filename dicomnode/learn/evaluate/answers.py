"""The answers of a version as a file: NumPy arrays and text, never objects."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from dicomnode.archive.files import write_whole
from dicomnode.errors import ModelFault
from dicomnode.learn.values import Answers

FILE = "answers.npz"


def save_answers(path: Path, answers: Answers) -> None:
    """Write answers: whole or not at all."""
    texts = {
        "version": answers.version, "item_ids": answers.item_ids, "patients": answers.patients,
        "hits": answers.hits, "lesions": answers.lesions,
    }  # fmt: skip
    arrays = {name: getattr(answers, name) for name in ("targets", "logits", "probabilities", "dice")}
    content = io.BytesIO()
    np.savez_compressed(content, texts=np.frombuffer(json.dumps(texts).encode(), np.uint8), **arrays)
    write_whole(path, content.getvalue())


def load_answers(path: Path) -> Answers:
    """The answers in a file.

    Raises:
        ModelFault: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            texts: dict[str, Any] = json.loads(found["texts"].tobytes())
            arrays = [np.asarray(found[name], np.float64) for name in ("targets", "logits", "probabilities", "dice")]
    except (OSError, ValueError, KeyError, EOFError) as fault:
        raise ModelFault(f"{path.name} cannot be read: {fault}; ask the version again") from fault
    hits = tuple(tuple((float(score), bool(hit)) for score, hit in one) for one in texts["hits"])
    items, patients, lesions = (tuple(texts[name]) for name in ("item_ids", "patients", "lesions"))
    return Answers(str(texts["version"]), items, patients, arrays[0], arrays[1], arrays[2], arrays[3], hits, lesions)
