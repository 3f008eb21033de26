"""Studies whose findings a reader can point at: two bright blocks in a grey ellipse, found by a threshold.

What the node makes of them goes the real way: the images are read from files into a volume, the mask is drawn
where that volume is bright, and the results are encoded from it. A mask that lands beside the block is seen.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.config.profiles import PROFILES
from dicomnode.encode.context import Encoded
from dicomnode.encode.door.items import children, groups
from dicomnode.encode.results import could_not_analyse, encode_results
from dicomnode.values import Prediction, Role, Segmentation
from dicomnode.volume.build import build_volume
from tests.acceptance.viewer.pixels import Box
from tests.phantom import AXIAL, Subject, dx_image, encoded, mr_series
from tests.unit.encode.examples import FINDINGS, INSIDE, MADE_AT, SEGMENTS, classified, flat, node_of, run_of, stored

SHAPE = (9, 40, 56)
"""Slices, rows, columns."""
GREY, BRIGHT, BRIGHTER = 300.0, 900.0, 1000.0


@dataclass(frozen=True)
class Block:
    """A bright block on one slice: rows and columns, the last included."""

    slice: int
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self.columns[1] - self.columns[0] + 1, self.rows[1] - self.rows[0] + 1


FRONT = Block(6, (8, 12), (34, 41))
BACK = Block(2, (25, 31), (12, 15))
"""Neither lies where a mirrored or transposed stack would show the other."""


def voxel_px(found: Box, block: Block) -> float:
    """Size of one voxel on the screen, from the block's own size there."""
    width, height = found.size
    columns, rows = block.size
    return (width / columns + height / rows) / 2


def is_like(found: Box, block: Block) -> bool:
    """Whether something on the screen has the proportions of a block."""
    width, height = found.size
    columns, rows = block.size
    return abs(width / height - columns / rows) < 0.15


@dataclass(frozen=True)
class Shown:
    """A study with its results, as it lies in the PACS."""

    subject: Subject
    images: tuple[Dataset, ...]
    results: tuple[Encoded, ...]

    def files(self) -> list[bytes]:
        """Every object as a DICOM file."""
        return [*(encoded(image) for image in self.images), *(one.content for one in self.results)]

    def content(self, role: Role) -> bytes:
        """The file of one result."""
        (one,) = [one for one in self.results if one.role is role]
        return one.content


@dataclass(frozen=True)
class Outline:
    """A contour of a report."""

    image: str
    """SOP Instance UID of the image that it lies on."""
    size: tuple[float, float]
    """Width and height in pixels of that image."""


def outlines_of(report: Dataset) -> dict[str, Outline]:
    """The contours of a report of TID 1501 groups, by the comment that names each."""
    found = {}
    for group in groups(report):
        (name,) = [str(item.TextValue) for item in children(group, "121106/DCM")]
        (contour,) = [
            part for item in group.ContentSequence for part in item.get("ContentSequence", ()) if "GraphicData" in part
        ]
        points = np.array(contour.GraphicData, float).reshape(-1, 2)
        image = contour.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        width, height = np.ptp(points, axis=0)
        found[name] = Outline(str(image), (float(width), float(height)))
    return found


def subject_of(name: str) -> Subject:
    """Whose phantom this is."""
    return Subject(
        patient_id=f"PHANTOM-{name.upper()}", patient_name=f"Phantom^{name.title()}", study=f"viewer {name}",
        accession=f"V-{name[:8].upper()}",
    )  # fmt: skip


def key_of(name: str) -> str:
    """A run key of its own: every UID of the results follows from it."""
    return hashlib.sha256(name.encode()).hexdigest()


def blocks() -> NDArray[np.float32]:
    """(slice, row, column): an ellipse of grey with the two blocks in it."""
    slices, rows, columns = SHAPE
    j, i = np.indices((rows, columns))
    inside = ((j - rows / 2) / (0.45 * rows)) ** 2 + ((i - columns / 2) / (0.45 * columns)) ** 2 < 1
    values = np.repeat(np.where(inside, GREY, 0.0)[None], slices, axis=0).astype(np.float32)
    for block, value in ((FRONT, BRIGHT), (BACK, BRIGHTER)):
        (top, bottom), (left, right) = block.rows, block.columns
        values[block.slice, top : bottom + 1, left : right + 1] = value
    return values


def mr_images(name: str, orientation: Sequence[float] = AXIAL, *, backwards: bool = False) -> list[Dataset]:
    """The blocks as single-frame MR; `backwards` numbers the images against their positions."""
    images = mr_series(
        values=blocks(),
        spacing_mm=4.0,
        pixel_mm=(2.0, 2.0),
        orientation=orientation,
        origin=(-50.0, -40.0, 12.0),
        name="T1 phantom",
        subject=subject_of(name),
    )
    for k, image in enumerate(images):
        image.WindowCenter, image.WindowWidth = 550, 1100
        image.InstanceNumber = len(images) - k if backwards else k + 1
    return images


def segmented_study(
    folder: Path,
    name: str,
    orientation: Sequence[float] = AXIAL,
    *,
    backwards: bool = False,
    objects: Sequence[Role] = PROFILES["standard"],
    blind: bool = False,
) -> Shown:
    """A study of the blocks with what the node makes of them for a viewer profile; a blind model finds neither."""
    images = mr_images(name, orientation, backwards=backwards)
    study, series = stored(images, folder / name)
    volume = build_volume(series, SeriesRules(modalities=("MR",)))
    levels = () if blind else (BRIGHT, BRIGHTER)
    labels = np.zeros(SHAPE, np.uint8)
    for number, level in enumerate(levels, 1):
        labels[volume.voxels == level] = number
    answer = Segmentation(labels, {1: 0.12}, probability=np.where(labels, 0.9, 0.0).astype(np.float16))
    prediction = Prediction(answer, INSIDE, "cpu")
    run = run_of(study, run_key=key_of(name))
    results = encode_results(run, series, volume, prediction, SEGMENTS, node_of(folder), MADE_AT, objects=objects)
    return Shown(subject_of(name), tuple(images), results)


def refused_study(folder: Path, name: str) -> Shown:
    """A study that could not be analysed, with the report that says why."""
    images = mr_images(name)
    study, series = stored(images, folder / name)
    run, why = (
        run_of(study, run_key=key_of(name)),
        "a slice is missing: no image between 28.00 and 36.00 mm along the stack",
    )
    results = could_not_analyse(run, series, why, SEGMENTS, node_of(folder), MADE_AT, family="SeriesRefused")
    return Shown(subject_of(name), tuple(images), results)


def classified_study(folder: Path, name: str) -> Shown:
    """A radiograph with the SR of its classification."""
    j, i = np.indices((96, 80))
    image = dx_image(values=(1000 + 20 * j + 5 * i).astype(np.float32), subject=subject_of(name), name="Chest AP")
    image.WindowCenter, image.WindowWidth = 2100, 2400
    study, series = stored([image], folder / name)
    run, answer = run_of(study, FINDINGS, run_key=key_of(name)), classified(0.83)
    results = encode_results(run, series, flat(image, series), answer, FINDINGS, node_of(folder), MADE_AT)
    return Shown(subject_of(name), (image,), results)
