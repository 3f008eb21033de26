"""Label maps and boxes that readers drew, as files: below the state folder, each written once and whole."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from dicomnode.archive.files import write_whole
from dicomnode.errors import SeriesRefused
from dicomnode.learn.harvest.grid import SourceGrid, volume_digest
from dicomnode.values import Volume

LABELS = Path("training") / "labels"
"""Below the state folder."""


class OtherGrid(SeriesRefused):
    """The images are not those that a drawing was laid on."""

    def __init__(self) -> None:
        super().__init__("the images are not those that this was drawn on: other images, another order or another size")


@dataclass(frozen=True)
class Drawn:
    """What a file of labels holds, on the grid of its series."""

    mask: NDArray[np.uint8] | None
    """(slice, row, column); 0 is background, n the segment of that index."""
    boxes: NDArray[np.float32] | None
    """(box, 6): from (slice, row, column) to (slice, row, column), as `values.Lesion.box`; none: no lesion."""
    labels: NDArray[np.int64] | None
    """(box,): index of each box's finding."""


def write_mask(state: Path, grid: SourceGrid, mask: NDArray[np.uint8]) -> str:
    """Write a label map; its path below the state folder."""
    return _write(state, grid, {"mask": np.ascontiguousarray(mask)})


def write_boxes(state: Path, grid: SourceGrid, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> str:
    """Write boxes; their path below the state folder."""
    return _write(state, grid, {"boxes": np.ascontiguousarray(boxes), "labels": np.ascontiguousarray(labels)})


def drawn_on(volume: Volume, file: Path) -> Drawn:
    """What was drawn on a volume.

    Raises:
        OtherGrid: it was drawn on other images.
    """
    with safe_open(file, framework="numpy") as opened:
        if (opened.metadata() or {}).get("grid") != volume_digest(volume):
            raise OtherGrid
        found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
    return Drawn(found.get("mask"), found.get("boxes"), found.get("labels"))


def _write(state: Path, grid: SourceGrid, tensors: dict[str, NDArray[np.generic]]) -> str:
    """The file is named for its content: the same drawing again is the same file."""
    content = save(dict(tensors), {"grid": grid.digest})
    file = LABELS / f"{hashlib.sha256(content).hexdigest()[:32]}.safetensors"
    target = state / file
    if target.exists():
        return str(file)
    write_whole(target, content)
    return str(file)
