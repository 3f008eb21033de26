"""A voxel goes to the network's grid and comes back to the very index it left."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms import Compose, Invertd, Orientationd, Spacingd
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.values import Volume
from dicomnode.volume.build import build_volume
from dicomnode.volume.metatensor import affine_ras, to_metatensor, to_source_grid
from tests.phantom import AXIAL, CORONAL, OBLIQUE, SAGITTAL, enhanced, mr_series, series_of, write

MARK = (4, 9, 6)
"""(slice, row, column) in a volume of 12 × 16 × 14."""
SHAPE = (12, 16, 14)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Columns to the right, rows to the front: a prone or rotated acquisition."""
FEET_FIRST = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Normal towards the feet: slices in order of the normal run downwards."""
OBLIQUE_NEGATIVE = (0.8, -0.6, 0.0, 0.36, 0.48, -0.8)

GRIDS = [
    ("axial", AXIAL, 1.0, (1.0, 1.0)),
    ("sagittal", SAGITTAL, 1.0, (1.0, 1.0)),
    ("coronal", CORONAL, 1.0, (1.0, 1.0)),
    ("oblique", OBLIQUE, 1.0, (1.0, 1.0)),
    ("oblique the other way", OBLIQUE_NEGATIVE, 1.0, (1.0, 1.0)),
    ("flipped", FLIPPED, 1.0, (1.0, 1.0)),
    ("reversed", FEET_FIRST, 1.0, (1.0, 1.0)),
    ("anisotropic", AXIAL, 2.5, (0.5, 0.8)),
    ("anisotropic sagittal", SAGITTAL, 3.0, (0.9, 0.6)),
    ("anisotropic oblique", OBLIQUE, 2.0, (0.7, 1.3)),
]


def marked() -> NDArray[np.float32]:
    voxels = np.zeros(SHAPE, dtype=np.float32)
    voxels[MARK] = 1000.0
    return voxels


def images(orientation: Sequence[float], slice_mm: float, pixel_mm: tuple[float, float]) -> list[Dataset]:
    return mr_series(
        values=marked(), orientation=orientation, spacing_mm=slice_mm, pixel_mm=pixel_mm, origin=(-31.0, 17.0, 5.5)
    )


def volume_of(datasets: list[Dataset], folder: Path) -> Volume:
    return build_volume(series_of(write(datasets, folder)), SeriesRules(modalities=("MR",)))


def there_and_back(image: MetaTensor, pixdim: float) -> tuple[MetaTensor, NDArray[np.float32]]:
    """The image on the network's grid, and what the bundle's Invertd makes of it on the source grid."""
    way = Compose(
        [Orientationd("image", axcodes="RAS", labels=None), Spacingd("image", pixdim=[pixdim] * 3, mode="bilinear")]
    )
    there = way({"image": image})
    there["pred"] = MetaTensor(
        there["image"].as_tensor(), meta=there["image"].meta, applied_operations=there["image"].applied_operations
    )
    back = Invertd("pred", transform=way, orig_keys="image", nearest_interp=False)(there)["pred"]
    return there["image"], to_source_grid(back[0].numpy())


@pytest.mark.parametrize("multi_frame", [False, True], ids=["single-frame", "multi-frame"])
@pytest.mark.parametrize(("name", "orientation", "slice_mm", "pixel_mm"), GRIDS, ids=[grid[0] for grid in GRIDS])
def test_a_marked_voxel_comes_back_to_its_index(
    tmp_path: Path, name: str, orientation: Sequence[float], slice_mm: float, pixel_mm: tuple[float, float],
    multi_frame: bool,
) -> None:  # fmt: skip
    singles = images(orientation, slice_mm, pixel_mm)
    volume = volume_of([enhanced(singles, reverse_frames=True)] if multi_frame else singles, tmp_path)
    assert volume.voxels[MARK] == 1000.0

    _, back = there_and_back(to_metatensor(volume), pixdim=0.5)

    assert back.shape == SHAPE
    assert np.unravel_index(int(back.argmax()), SHAPE) == MARK


@pytest.mark.parametrize(("name", "orientation", "slice_mm", "pixel_mm"), GRIDS, ids=[grid[0] for grid in GRIDS])
def test_on_the_network_grid_the_voxel_lies_where_the_patient_has_it(
    tmp_path: Path, name: str, orientation: Sequence[float], slice_mm: float, pixel_mm: tuple[float, float]
) -> None:
    datasets = images(orientation, slice_mm, pixel_mm)
    k, j, i = MARK
    image = datasets[k]
    # PS3.3 C.7.6.2.1.1: position + column index × row direction × column spacing + row index × column direction × row
    # spacing
    lps = (
        np.array(image.ImagePositionPatient, dtype=float)
        + i * pixel_mm[1] * np.array(orientation[:3])
        + j * pixel_mm[0] * np.array(orientation[3:])
    )

    there, _ = there_and_back(to_metatensor(volume_of(datasets, tmp_path)), pixdim=0.5)

    index = np.unravel_index(int(there[0].argmax()), there.shape[1:])
    ras = there.affine.numpy() @ [*index, 1.0]
    assert np.allclose(ras[:3], lps * [-1, -1, 1], atol=0.5)  # within one voxel of that grid


def test_axes_are_channel_column_row_slice(tmp_path: Path) -> None:
    tensor = to_metatensor(volume_of(images(AXIAL, 2.0, (0.5, 0.8)), tmp_path))

    assert tuple(tensor.shape) == (1, 14, 16, 12)
    assert tensor.dtype == torch.float32
    assert tensor[0, 6, 9, 4] == 1000.0


def test_an_axial_image_at_the_origin_has_x_and_y_turned() -> None:
    lps = np.array([[0.8, 0, 0, -31], [0, 0.5, 0, 17], [0, 0, 2, 5.5], [0, 0, 0, 1]])

    assert affine_ras(lps).tolist() == [[-0.8, 0, 0, 31], [0, -0.5, 0, -17], [0, 0, 2, 5.5], [0, 0, 0, 1]]
    assert np.array_equal(affine_ras(affine_ras(lps)), lps)


def test_the_way_back_to_the_source_axes_undoes_the_way_there(tmp_path: Path) -> None:
    volume = volume_of(mr_series(slices=4, rows=5, columns=6), tmp_path)

    assert np.array_equal(to_source_grid(to_metatensor(volume)[0].numpy()), volume.voxels)
