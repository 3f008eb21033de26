"""The demo's studies: real images that ship with the repository, written as honest DICOM."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmwrite

from dicomnode.demo.msd import msd_series
from dicomnode.demo.radiograph import radiograph

CROPS, RADIOGRAPHS = 3, 4


@dataclass(frozen=True)
class DemoStudy:
    """One study as files, and what is known of it."""

    name: str
    study_uid: str
    files: tuple[Path, ...]
    reference: str
    """What the data set's authors say of it."""


def demo_studies(data: Path, folder: Path) -> list[DemoStudy]:
    """Write the studies: crops of the hippocampus, and chest radiographs of children, half of them with pneumonia."""
    crops = _rows(data / "hippocampus" / "index.csv")[:CROPS]
    radiographs = _rows(data / "chest_xray" / "index.csv")
    half = RADIOGRAPHS // 2
    chosen = [row for label in ("0", "1") for row in [r for r in radiographs if r["label"] == label][:half]]
    return [
        *(_crop(data / "hippocampus", row, folder, n) for n, row in enumerate(crops, 1)),
        *(_radiograph(data / "chest_xray", row, folder, n) for n, row in enumerate(chosen, 1)),
    ]


def _crop(data: Path, row: dict[str, str], folder: Path, number: int) -> DemoStudy:
    image = nibabel.load(data / row["image"])
    labels = np.asarray(nibabel.load(data / row["label"]).dataobj)
    case = Path(row["image"]).name.removesuffix(".nii.gz")
    ml = [float((labels == part).sum()) * float(np.prod(image.header.get_zooms()[:3])) / 1000 for part in (1, 2)]
    name = f"crop {number}"
    datasets = msd_series(np.asarray(image.dataobj), image.affine, case)
    return _written(name, datasets, folder / name.replace(" ", "_"), f"{ml[0]:.2f} + {ml[1]:.2f} ml")


def _radiograph(data: Path, row: dict[str, str], folder: Path, number: int) -> DemoStudy:
    pixels = np.asarray(Image.open(data / row["path"]).convert("L"))
    name = f"chest {number}"
    dataset = radiograph(pixels, Path(row["path"]).stem)
    return _written(name, [dataset], folder / name.replace(" ", "_"), row.get("label_name") or row["label"])


def _written(name: str, datasets: Sequence[Dataset], folder: Path, reference: str) -> DemoStudy:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:04d}.dcm" for number, _ in enumerate(datasets, 1)]
    for dataset, path in zip(datasets, paths, strict=True):
        dcmwrite(path, dataset, enforce_file_format=True)
    return DemoStudy(name, str(datasets[0].StudyInstanceUID), tuple(paths), reference)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
