"""One run of each kind, with numbers a reader can predict: what the encoder's tests are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from dicomnode.bundles.dicom_toml import About, Code, DicomToml, Finding, Kind, Segment, SeriesRules
from dicomnode.config.tables import Node
from dicomnode.encode.context import Encoded
from dicomnode.encode.door.items import meaning, tree
from dicomnode.encode.door.segments import segment_number
from dicomnode.encode.results import could_not_analyse, encode_results
from dicomnode.values import (
    Classification,
    DomainAnswer,
    FindingScore,
    Frame,
    ModelVersion,
    Prediction,
    Priority,
    Role,
    Run,
    Segmentation,
    Series,
    Study,
    Volume,
)
from tests.phantom import dx_image, mr_series, study_of, uid, write

MADE_AT = datetime(2026, 3, 4, 11, 30, 15)
ANATOMY = Code(value="91723000", scheme="SCT", meaning="Anatomical Structure")
HIPPOCAMPUS = Code(value="5366008", scheme="SCT", meaning="Hippocampus")

FRONT = Segment(
    index=1, label="Anterior hippocampus", category=ANATOMY, type=HIPPOCAMPUS, region=HIPPOCAMPUS, cielab=(60, 50, 30)
)
BACK = Segment(
    index=2, label="Posterior hippocampus", category=ANATOMY, type=HIPPOCAMPUS, region=HIPPOCAMPUS, cielab=(60, -50, 30)
)

SEGMENTS = DicomToml(
    model=About(
        name="hippocampus_mr",
        kind=Kind.SEGMENTATION,
        title="Hippocampus volumes",
        intended_use="measures the hippocampus in T1 weighted MR; not for clinical use",
        procedure=Code(value="24590-2", scheme="LN", meaning="MR Brain"),
        site=HIPPOCAMPUS,
        statements=("position within the head not verified",),
    ),
    series=SeriesRules(modalities=("MR",)),
    segments=(FRONT, BACK),
)

FINDINGS = DicomToml(
    model=About(
        name="chest_xray_pneumonia",
        kind=Kind.CLASSIFICATION,
        title="Pneumonia in children's chest radiographs",
        intended_use="estimates the probability of pneumonia in children of 1 to 5 years; not for clinical use",
        procedure=Code(value="36643-5", scheme="LN", meaning="XR Chest 2 Views"),
        site=Code(value="51185008", scheme="SCT", meaning="Thorax"),
    ),
    series=SeriesRules(modalities=("CR", "DX"), dimensions=2),
    findings=(
        Finding(
            index=0,
            concept=Code(value="233604007", scheme="SCT", meaning="Pneumonia"),
            site=Code(value="39607008", scheme="SCT", meaning="Lung"),
            threshold=0.4,
        ),
    ),
)

INSIDE = DomainAnswer(inside=True)


def node_of(folder: Path) -> Node:
    """A node with its state in a folder."""
    return Node(state=folder / "state", institution="Test hospital")


def run_of(study: Study, rules: DicomToml = SEGMENTS, **changes: object) -> Run:
    """A run of the model that the rules describe."""
    name = rules.model.name
    model = ModelVersion(name, "1.0.0", "ab" * 32, uid(f"device {name}"), Path("models") / name)
    values: dict[str, object] = {
        "run_key": "cd" * 32,
        "study": study,
        "model": model,
        "profile": "standard",
        "priority": Priority.ROUTINE,
        "destinations": ("pacs",),
    }
    return Run(**(values | changes))  # type: ignore[arg-type]


def stored(images: Sequence[Dataset], folder: Path) -> tuple[Study, Series]:
    """The images as received files, and their study and series as the index gives them."""
    study = study_of(write(images, folder / "received"))
    return study, study.series[0]


def stacked(images: Sequence[Dataset], series: Series) -> Volume:
    """The volume of single-frame images with geometry, slice by slice in the order given."""
    first, last = images[0], images[-1]
    direction = np.array(first.ImageOrientationPatient, float)
    position = np.array(first.ImagePositionPatient, float)
    affine = np.eye(4)
    affine[:3, 0] = direction[:3] * float(first.PixelSpacing[1])
    affine[:3, 1] = direction[3:] * float(first.PixelSpacing[0])
    affine[:3, 2] = (np.array(last.ImagePositionPatient, float) - position) / max(len(images) - 1, 1)
    affine[:3, 3] = position
    paths = {instance.sop_instance_uid: instance.path for instance in series.instances}
    frames = tuple(Frame(i.SOPInstanceUID, i.SOPClassUID, None, paths[i.SOPInstanceUID]) for i in images)
    shape = (len(images), first.Rows, first.Columns)
    voxels = np.zeros(shape, np.float32)
    return Volume(voxels, affine, frames, series.series_uid, first.FrameOfReferenceUID, has_geometry=True)


def flat(image: Dataset, series: Series) -> Volume:
    """The volume of one radiograph."""
    frame = Frame(image.SOPInstanceUID, image.SOPClassUID, None, series.instances[0].path)
    voxels = np.zeros((1, image.Rows, image.Columns), np.float32)
    return Volume(voxels, np.eye(4), (frame,), series.series_uid, None, has_geometry=False)


def two_boxes(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Label 1 on slices 1-2, rows 1-3, columns 1-2 (12 voxels); label 2 on slice 3, rows 2-4, columns 4-6 (9)."""
    labels = np.zeros(shape, np.uint8)
    labels[1:3, 1:4, 1:3] = 1
    labels[3, 2:5, 4:7] = 2
    return labels


def segmented(labels: NDArray[np.uint8], domain: DomainAnswer = INSIDE) -> Prediction:
    """A prediction of a label map."""
    return Prediction(Segmentation(labels, uncertainty={1: 0.12}), domain, "cpu")


def classified(probability: float | None, domain: DomainAnswer = INSIDE, threshold: float = 0.4) -> Prediction:
    """A prediction of one finding."""
    positive = None if probability is None else probability >= threshold
    uncertainty = None if probability is None else 0.05
    return Prediction(Classification((FindingScore(0, probability, uncertainty, positive),)), domain, "cpu")


def segmentation_results(images: Sequence[Dataset], folder: Path, **changes: object) -> Example:
    """SEG and SR of two boxes in single-frame images."""
    study, series = stored(images, folder)
    volume = stacked(images, series)
    run = run_of(study, **changes)
    labels = two_boxes(volume.voxels.shape)
    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(folder), MADE_AT)
    return Example(run, series, volume, labels, made, SEGMENTS)


def classification_results(folder: Path, prediction: Prediction) -> Example:
    """SR of one radiograph."""
    image = dx_image()
    study, series = stored([image], folder)
    volume, run = flat(image, series), run_of(study, FINDINGS)
    made = encode_results(run, series, volume, prediction, FINDINGS, node_of(folder), MADE_AT)
    return Example(run, series, volume, np.zeros(volume.voxels.shape, np.uint8), made, FINDINGS)


def could_not_results(folder: Path) -> Example:
    """SR of a study in which no series fits."""
    images = mr_series()
    study, series = stored(images, folder)
    run = run_of(study)
    made = could_not_analyse(run, None, "no series is a crop of 80 mm or less", SEGMENTS, node_of(folder), MADE_AT)
    volume = stacked(images, series)
    return Example(run, series, volume, np.zeros(volume.voxels.shape, np.uint8), made, SEGMENTS)


def nothing_found_results(folder: Path) -> Example:
    """SR of images without any of the structures."""
    images = mr_series()
    study, series = stored(images, folder)
    volume, run = stacked(images, series), run_of(study)
    labels = np.zeros(volume.voxels.shape, np.uint8)
    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(folder), MADE_AT)
    return Example(run, series, volume, labels, made, SEGMENTS)


@dataclass(frozen=True)
class Example:
    """The results of one run, and what they were made from."""

    run: Run
    series: Series
    volume: Volume
    labels: NDArray[np.uint8]
    made: tuple[Encoded, ...]
    rules: DicomToml

    def read(self, role: Role) -> Dataset:
        """One result as a receiver reads it."""
        (one,) = [one for one in self.made if one.role is role]
        return dcmread(BytesIO(one.content))

    @property
    def seg(self) -> Dataset:
        return self.read(Role.SEG)

    @property
    def report(self) -> Dataset:
        return self.read(Role.SR)


def voxel_places(mask: NDArray[np.bool_], affine_lps: NDArray[np.float64]) -> set[tuple[float, ...]]:
    """Where the voxels of a mask (slice, row, column) lie in the patient, in LPS mm to a hundredth."""
    k, j, i = np.nonzero(mask)
    places = np.stack([i, j, k, np.ones_like(k)], axis=1) @ affine_lps.T
    return {tuple(place) for place in (np.round(places[:, :3], 2) + 0.0).tolist()}


def seg_places(seg: Dataset, number: int) -> set[tuple[float, ...]]:
    """Where the voxels of one SEG segment lie, worked out from each frame's own position (PS3.3 C.7.6.2.1.1)."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    direction = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    row_mm, column_mm = (float(mm) for mm in shared.PixelMeasuresSequence[0].PixelSpacing)
    frames = np.atleast_3d(seg.pixel_array.reshape(-1, seg.Rows, seg.Columns))
    found: set[tuple[float, ...]] = set()
    for pixels, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        if segment_number(seg, groups) == number:
            affine = np.eye(4)
            affine[:3, 0], affine[:3, 1] = direction[:3] * column_mm, direction[3:] * row_mm
            affine[:3, 3] = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
            found |= voxel_places(pixels[None].astype(bool), affine)
    return found


def texts(document: Dataset) -> str:
    """Every sentence of a report, a line each."""
    return "\n".join(str(item.TextValue) for _, item in tree(document) if item.ValueType == "TEXT")


def coded_answers(document: Dataset) -> dict[str, str]:
    """Name and answer of every coded item, in words."""
    return {meaning(i): i.ConceptCodeSequence[0].CodeMeaning for _, i in tree(document) if i.ValueType == "CODE"}


def figures_of(document: Dataset, name: str) -> list[float]:
    """Values of every number of one name."""
    numbers = [item for _, item in tree(document) if item.ValueType == "NUM" and meaning(item) == name]
    return [float(item.MeasuredValueSequence[0].NumericValue) for item in numbers]
