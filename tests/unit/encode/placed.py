"""The same two boxes in images of every geometry, and a radiograph with a saliency map, as any kind of object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.door import faults_of
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.results import encode_results
from dicomnode.values import Classification, DomainAnswer, Frame, Prediction, Role, Segmentation, Volume
from tests.phantom import OBLIQUE, SAGITTAL, ct_series, dx_image, enhanced, mr_series
from tests.unit.encode.examples import (
    FINDINGS,
    INSIDE,
    MADE_AT,
    SEGMENTS,
    Example,
    classified,
    flat,
    node_of,
    run_of,
    stacked,
    stored,
    two_boxes,
)

ORIGIN = (-31.5, 12.25, 40.0)
SINGLE = {
    "axial CT": ct_series(origin=ORIGIN),
    "sagittal MR": mr_series(orientation=SAGITTAL, origin=ORIGIN),
    "oblique MR": mr_series(orientation=OBLIQUE, origin=ORIGIN, spacing_mm=1.5),
    "reversed stack": mr_series(orientation=OBLIQUE, origin=ORIGIN)[::-1],
    "turned": mr_series(orientation=(-1, 0, 0, 0, -1, 0), origin=ORIGIN)[::-1],
    "anisotropic CT": ct_series(pixel_mm=(0.5, 0.75), spacing_mm=5.0, origin=ORIGIN),
}
ENHANCED = {"enhanced MR": False, "enhanced MR, frames reversed": True}
PLACED = (*SINGLE, *ENHANCED)
"""Images that lie somewhere in the patient."""
PEAK = (1, 2, 1)
"""(slice, row, column) where the probability is 1; elsewhere in the boxes it is 0.75, on slice 4 0.005."""
SALIENT = (0, 2, 3)
"""Where the saliency is 1; beside it, at column 4, 0.5."""


def placed(name: str, folder: Path, objects: Sequence[Role]) -> Example:
    """The boxes in images of one geometry."""
    return in_enhanced(folder, objects, ENHANCED[name]) if name in ENHANCED else in_single(name, folder, objects)


def in_single(name: str, folder: Path, objects: Sequence[Role], domain: DomainAnswer = INSIDE) -> Example:
    """The boxes in single-frame images of one geometry."""
    return of_images(SINGLE[name], folder, objects, domain)


def of_images(
    images: Sequence[Dataset], folder: Path, objects: Sequence[Role], domain: DomainAnswer = INSIDE
) -> Example:
    """The boxes in these single-frame images."""
    _, series = stored(images, folder)
    return _example(stacked(images, series), images, folder, objects, domain)


def in_enhanced(folder: Path, objects: Sequence[Role], reverse_frames: bool) -> Example:
    """The boxes in one enhanced MR, its volume sorted along the normal."""
    singles = mr_series(orientation=OBLIQUE, origin=ORIGIN)
    image = enhanced(singles, reverse_frames=reverse_frames)
    volume = stacked(singles, stored(singles, folder / "single")[1])
    path = stored([image], folder)[1].instances[0].path
    numbers = [5 - k if reverse_frames else k + 1 for k in range(5)]
    frames = tuple(Frame(image.SOPInstanceUID, image.SOPClassUID, number, path) for number in numbers)
    return _example(replace(volume, frames=frames, series_uid=image.SeriesInstanceUID), [image], folder, objects)


def _example(
    volume: Volume, images: Sequence[Dataset], folder: Path, objects: Sequence[Role], domain: DomainAnswer = INSIDE
) -> Example:
    study, series = stored(images, folder)
    run, labels = run_of(study), two_boxes(volume.voxels.shape)
    answer = Segmentation(labels, probability=probability_of(labels))
    prediction = Prediction(answer, domain, "cpu")
    made = encode_results(run, series, volume, prediction, SEGMENTS, node_of(folder), MADE_AT, objects=objects)
    return Example(run, series, volume, labels, made, SEGMENTS)


def probability_of(labels: NDArray[np.uint8]) -> NDArray[np.float16]:
    """A probability that a reader can predict: see PEAK."""
    probability = np.where(labels > 0, 0.75, 0.0).astype(np.float16)
    probability[PEAK], probability[4] = 1.0, 0.005
    return probability


def projection(
    folder: Path, objects: Sequence[Role], probability: float = 0.9, image: Dataset | None = None
) -> Example:
    """A radiograph with a saliency map."""
    image = image or dx_image()
    study, series = stored([image], folder)
    run, spacing = run_of(study, FINDINGS), np.diag([0.3, 0.2, 1.0, 1.0])  # as `dx_image` says: rows 0.2 mm apart
    volume = replace(flat(image, series), affine_lps=spacing)
    saliency = np.zeros(volume.voxels.shape, np.float32)
    saliency[SALIENT], saliency[0, 2, 4] = 1.0, 0.5
    said = classified(probability)
    assert isinstance(said.answer, Classification)
    prediction = replace(said, answer=replace(said.answer, saliency=saliency))
    made = encode_results(run, series, volume, prediction, FINDINGS, node_of(folder), MADE_AT, objects=objects)
    return Example(run, series, volume, np.zeros(volume.voxels.shape, np.uint8), made, FINDINGS)


def door_says(example: Example) -> list[str]:
    """What the door finds wrong."""
    return faults_of(Expected(example.made, example.run, example.rules, example.series))
