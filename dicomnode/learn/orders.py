"""What a child process of learning is told to do. A bundle's code runs in such a process alone.

A job is a folder: `order.json` goes in; `progress.json` tells how far it is; `done.json` or `fault.json` comes out. A
killed job that is started again goes on from what its folder holds. No folder of a job knows who a patient is.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dicomnode.learn.values import RecipeName


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle: Path
    """Folder of the bundle or version; its digest must be the one below."""
    digest: str
    device: str = "auto"
    threads: int = 0
    """0: all cores."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Of an accelerator's memory, at most; a paused process keeps what it holds."""


class Raw(BaseModel):
    """One volume with its label, before the bundle's preprocessing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    """In the job's folder: safetensors with "voxels" (slice, row, column) float32, "affine_lps" (4, 4) float64, and
    "mask" (slice, row, column) uint8, or "boxes" (box, 6) float32 and "labels" (box,) int64, where it has them. A box
    is from (slice, row, column) to (slice, row, column), as `values.Lesion.box`."""
    has_geometry: bool
    made: str
    """File to write: as `values.Item.file` describes."""


class PrepareOrder(_Order):
    """Put volumes through the bundle's own preprocessing."""

    kind: Literal["prepare"] = "prepare"
    raw: tuple[Raw, ...]


class TrainOrder(_Order):
    """Train a candidate, or one of the arms it is compared with."""

    kind: Literal["train"] = "train"
    training_set: Path
    """Manifest."""
    recipe: RecipeName
    seed: int
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of the training patients, for a learning curve."""
    learning_rate: float | None = None
    """None: searched for with at most 8 trials where the recipe needs one, else the recipe's default."""
    trials: Annotated[int, Field(ge=0, le=8)] = 8
    epochs: int | None = None
    replay: Path | None = None
    """Manifest of an older training set, for `lpft`."""
    processes: int = 1


class AnswerOrder(_Order):
    """Have a version answer items of a training set."""

    kind: Literal["answer"] = "answer"
    training_set: Path
    items: tuple[str, ...]
    """Item ids."""


class Shown(BaseModel):
    """One case that a person is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: str
    role: Literal["correct", "wrong", "uncertain"]
    output: int
    """Of a classification: the finding that it is shown for."""
    words: str
    """What label and candidate say."""


class GalleryOrder(_Order):
    """Draw what a version sees in some validation cases."""

    kind: Literal["gallery"] = "gallery"
    training_set: Path
    shown: tuple[Shown, ...]


class Order(BaseModel):
    """Any order, as it is read from its file."""

    order: Annotated[PrepareOrder | TrainOrder | AnswerOrder | GalleryOrder, Field(discriminator="kind")]
