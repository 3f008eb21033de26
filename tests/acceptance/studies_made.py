"""Studies for the acceptance tests: crops of the repo's own, each as often as asked for."""

from pathlib import Path

import nibabel
import numpy as np
from pydicom import Dataset, dcmwrite

from dicomnode.demo.msd import msd_series
from tests.acceptance.node import REPO

DATA = REPO / "tests" / "data" / "hippocampus"


def crop_series(number: int = 0, name: str = "") -> list[Dataset]:
    """One crop as MR images; another name makes another patient and study of the same voxels."""
    cases = sorted((DATA / "images").glob("*.nii.gz"))
    path = cases[number % len(cases)]
    image = nibabel.load(path)
    return msd_series(np.asarray(image.dataobj), image.affine, name or path.name.removesuffix(".nii.gz"))


def crop_files(folder: Path, number: int = 0, name: str = "") -> list[Path]:
    """One crop as files."""
    folder.mkdir(parents=True)
    images = crop_series(number, name)
    paths = [folder / f"{n:03d}.dcm" for n in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        dcmwrite(path, image, enforce_file_format=True)
    return paths


def drawn_ml(number: int) -> tuple[float, float]:
    """Volume of the anterior and the posterior part of one crop, as a person drew them."""
    image = nibabel.load(sorted((DATA / "labels").glob("*.nii.gz"))[number])
    labels, voxel_ml = np.asarray(image.dataobj), float(np.prod(image.header.get_zooms()[:3])) / 1000
    return float((labels == 1).sum()) * voxel_ml, float((labels == 2).sum()) * voxel_ml
