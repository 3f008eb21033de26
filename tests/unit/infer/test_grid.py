"""The way to the network's grid and back, on the voxel."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomnode.errors import ModelFault
from dicomnode.infer.answer import Model
from dicomnode.values import Classification, Segmentation
from tests.bundles_made import (
    LOAD,
    asked,
    bundle_made,
    classification_toml,
    model_loaded,
    regridded,
    segmentation_toml,
    zoo_postprocessing,
)

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OBLIQUE = ((0.8, 0.6, 0.0), (-0.36, 0.48, 0.8), (0.48, -0.64, 0.6))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))
"""Direction of columns (i), rows (j) and slices (k), LPS."""


def affine(directions=AXIAL, spacing_mm=(1.0, 1.0, 1.0)) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(directions).T * np.array(spacing_mm)
    matrix[:3, 3] = (-31.5, 12.25, 100.0)
    return matrix


def labels_of(model: Model, voxels: NDArray[np.float32], affine_lps: NDArray[np.float64]) -> NDArray[np.uint8]:
    answer = model.predict(asked(voxels, affine_lps)).answer
    assert isinstance(answer, Segmentation)
    return answer.labels


@pytest.fixture(scope="module")
def regridding(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """Bundles that turn and resample to 1 mm, and decide before or after the way back."""
    folder = tmp_path_factory.mktemp("models")
    common = {"network": "Threshold", "preprocessing": regridded((1.0, 1.0, 1.0))}
    own = segmentation_toml("own", activation="none")
    models = {
        "zoo": bundle_made(folder, "zoo", postprocessing=zoo_postprocessing(), **common),
        "nearest": bundle_made(folder, "nearest", postprocessing=zoo_postprocessing(nearest=True), **common),
        "bare": bundle_made(folder, "bare", **common),
        "own": bundle_made(folder, "own", postprocessing=zoo_postprocessing(), dicom=own, **common),
    }
    loaded = {name: model_loaded(model) for name, model in models.items()}
    return loaded.__getitem__


@pytest.mark.parametrize("bundle", ["zoo", "nearest", "bare", "own"])
@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE, SAGITTAL], ids=["axial", "oblique", "sagittal"])
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)), ids=str)
def test_a_marked_voxel_comes_back_at_its_index(regridding, bundle, directions, signs) -> None:
    voxels = np.zeros((9, 11, 13), np.float32)
    voxels[2, 7, 4] = 1.0
    turned = tuple(tuple(sign * x for x in d) for sign, d in zip(signs, directions, strict=True))

    assert np.argwhere(labels_of(regridding(bundle), voxels, affine(turned))).tolist() == [[2, 7, 4]]


@pytest.mark.parametrize("bundle", ["zoo", "nearest", "bare"])
@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
def test_a_marked_block_of_an_anisotropic_volume_comes_back_at_its_indices(regridding, bundle, directions) -> None:
    voxels = np.zeros((8, 20, 24), np.float32)
    voxels[2:5, 6:12, 14:19] = 1.0

    labels = labels_of(regridding(bundle), voxels, affine(directions, (0.5, 0.5, 2.0)))

    found = np.argwhere(labels)
    assert labels.shape == voxels.shape
    assert sorted(set(found[:, 0])) == [2, 3, 4]  # 2 mm apart: the network's grid of 1 mm is finer
    half_a_step = 1.0 if bundle == "nearest" else 0.5  # 0.5 mm apart: a step of the network's grid is two of them
    assert np.abs(found.mean(0) - [3, 8.5, 16]).max() <= half_a_step
    assert labels[3, 7:11, 15:18].all()


def test_a_way_back_that_the_bundle_leaves_out_is_taken_all_the_same(regridding) -> None:
    rng = np.random.default_rng(1)
    voxels = rng.random((7, 9, 8)).astype(np.float32)
    where = affine(OBLIQUE, (0.9, 0.9, 1.7))

    assert np.array_equal(labels_of(regridding("bare"), voxels, where), labels_of(regridding("zoo"), voxels, where))


def test_channels_that_dicom_toml_does_not_name_are_background(tmp_path: Path) -> None:
    toml = segmentation_toml("other").replace("index = 1", "index = 2")
    model = model_loaded(bundle_made(tmp_path, "other", "Threshold", dicom=toml))

    assert not labels_of(model, np.ones((2, 3, 4)), affine()).any()


def test_an_answer_on_another_grid_is_refused(tmp_path: Path) -> None:
    crop = {"_target_": "SpatialCropd", "keys": "pred", "roi_start": [0, 0, 0], "roi_end": [2, 2, 2]}
    version = bundle_made(tmp_path, "cropped", "Threshold", postprocessing=[*zoo_postprocessing(), crop])

    with pytest.raises(ModelFault, match=r"answered on grid \(2, 2, 2\), the images' is \(4, 5, 6\)"):
        model_loaded(version).predict(asked(np.ones((4, 5, 6))))


@pytest.mark.parametrize(("reverse_indexing", "logit"), [(False, 1.0), (True, 0.0)])
def test_a_2d_image_reaches_the_network_as_its_reader_would_have_turned_it(tmp_path, reverse_indexing, logit) -> None:
    loader = [LOAD[0] | {"reader": "PILReader", "reverse_indexing": reverse_indexing}, LOAD[1]]
    version = bundle_made(tmp_path, "left", "Left", loader=loader, dicom=classification_toml("left"))
    image = np.zeros((1, 4, 4), np.float32)
    image[0, 2:, :2] = 2.0  # bottom left: of the left half, half is bright; of the upper half, none

    answer = model_loaded(version).predict(asked(image)).answer

    assert isinstance(answer, Classification)
    assert answer.scores[0].probability == pytest.approx(1 / (1 + np.exp(-logit)))


def test_a_stack_is_no_2d_image(tmp_path: Path) -> None:
    version = bundle_made(tmp_path, "left", "Left", dicom=classification_toml("left"))

    with pytest.raises(ModelFault, match="takes one 2D image, not 3 slices"):
        model_loaded(version).predict(asked(np.zeros((3, 4, 4))))
