"""Cases of the Medical Segmentation Decathlon that come with the repository, as nibabel reads them."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.demo.msd import msd_series

FOLDER = Path(__file__).parent / "data" / "hippocampus"


@dataclass(frozen=True)
class Case:
    """One crop with its mask, on the NIfTI grid."""

    name: str
    values: NDArray[np.float64]
    """(i, j, k)."""
    labels: NDArray[np.uint8]
    """(i, j, k): 0 background, 1 anterior, 2 posterior."""
    affine_ras: NDArray[np.float64]
    """From (i, j, k, 1) to RAS mm."""

    def series(self) -> list[Dataset]:
        """The crop as MR images."""
        return msd_series(self.values, self.affine_ras, self.name)


def case_names() -> list[str]:
    """The cases there are, in order."""
    return sorted(path.name.removesuffix(".nii.gz") for path in (FOLDER / "images").glob("*.nii.gz"))


def msd_case(name: str) -> Case:
    """One case."""
    image = nibabel.load(FOLDER / "images" / f"{name}.nii.gz")
    labels = nibabel.load(FOLDER / "labels" / f"{name}.nii.gz")
    return Case(
        name, np.asarray(image.dataobj, dtype=np.float64), np.asarray(labels.dataobj).astype(np.uint8), image.affine
    )
