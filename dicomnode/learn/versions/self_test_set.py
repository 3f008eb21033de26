"""Make a self-test set: images as a bundle sees them, with what it says of them now."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomnode.learn.versions.self_test import CASES, FOLDER
from dicomnode.values import Header, Volume

KEPT = ("Modality", "PatientAge", "ViewPosition", "BodyPartExamined", "PresentationIntentType")
"""Of the header: what rules and domains look at, and nothing that leads to a person."""


def add_case(bundle: Path, name: str, volume: Volume, header: Header, expected: dict[str, float]) -> Path:
    """Write one case into a bundle's set, in the place of one of the same name; the file of its arrays."""
    folder = bundle / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.npz"
    np.savez_compressed(file, voxels=_smallest(volume.voxels), affine_lps=volume.affine_lps)
    told = {
        "name": name,
        "file": file.name,
        "has_geometry": volume.has_geometry,
        "header": {word: header.text(word) for word in KEPT if header.text(word)},
        "expected": {word: round(value, 4) for word, value in expected.items()},
    }
    listed = [case for case in _cases(folder) if case["name"] != name]
    text = json.dumps({"cases": sorted([*listed, told], key=lambda case: str(case["name"]))}, indent=1)
    (folder / CASES).write_text(text + "\n", encoding="utf-8")
    return file


def _cases(folder: Path) -> list[dict[str, Any]]:
    path = folder / CASES
    return list(json.loads(path.read_text(encoding="utf-8"))["cases"]) if path.is_file() else []


def _smallest(voxels: NDArray[np.float32]) -> NDArray[Any]:
    """The same numbers in 16 bits where they fit."""
    small = voxels.astype(np.int16)
    return small if np.array_equal(small, voxels) else voxels
