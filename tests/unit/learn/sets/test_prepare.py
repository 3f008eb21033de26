"""Items are what the network gets of a study, and their labels lie on the same voxels."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import Tensor

from dicomnode.errors import ModelFault
from dicomnode.infer.answer import Model
from dicomnode.infer.detect import to_source_boxes
from dicomnode.infer.grid import network_input
from dicomnode.learn.orders import PrepareOrder, Raw
from dicomnode.learn.sets.prepare import THUMBNAIL, prepare, prepared
from dicomnode.values import ModelVersion, Volume
from tests.bundles_made import (
    LOAD,
    asked,
    bundle_made,
    classification_toml,
    detection_toml,
    model_loaded,
    regridded,
    segmentation_toml,
)

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OBLIQUE = ((0.8, 0.6, 0.0), (-0.36, 0.48, 0.8), (0.48, -0.64, 0.6))
"""Direction of columns (i), rows (j) and slices (k), LPS."""
CROPPED = [
    {"_target_": "CropForegroundd", "keys": "image", "source_key": "image", "margin": 1, "allow_smaller": False},
    {"_target_": "SpatialPadd", "keys": "image", "spatial_size": [16, 16, 16]},
]


def volume(voxels: NDArray[np.float32], directions=AXIAL, spacing_mm=(1.0, 1.0, 1.0)) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions).T * np.array(spacing_mm)
    affine[:3, 3] = (-31.5, 12.25, 100.0)
    return asked(voxels, affine).volume()


def marked(shape: tuple[int, int, int] = (9, 11, 13)) -> NDArray[np.float32]:
    voxels = np.zeros(shape, np.float32)
    voxels[2:5, 6:9, 4:10] = 1.0
    return voxels


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    folder = tmp_path_factory.mktemp("models")
    flat, rows = classification_toml("flat"), classification_toml("rows")
    resized = [{"_target_": "Resized", "keys": "image", "spatial_size": [10, 12], "mode": "bilinear"}]
    rows_first = ({**LOAD[0], "reverse_indexing": False}, LOAD[1])
    lost = [{"_target_": "ToNumpyd", "keys": "image"}]
    made = {
        "turned": bundle_made(folder, "turned", "Threshold", preprocessing=regridded((1.0, 1.0, 1.0), "LPI")),
        "cropped": bundle_made(folder, "cropped", "Threshold", preprocessing=CROPPED),
        "halved": bundle_made(folder, "halved", "Threshold", preprocessing=regridded((0.5, 0.5, 0.5))),
        "lost": bundle_made(folder, "lost", "Threshold", preprocessing=lost),
        "flat": bundle_made(folder, "flat", "Mean", dicom=flat, preprocessing=resized, weights=MEAN),
        "rows": bundle_made(folder, "rows", "Mean", dicom=rows, weights=MEAN, loader=rows_first),
        "boxes": bundle_made(
            folder, "boxes", "Spots", dicom=detection_toml("boxes"), preprocessing=regridded((0.5, 2.0, 1.0), "LPS")
        ),
    }
    loaded = {name: model_loaded(version) for name, version in made.items()}
    return loaded.__getitem__


MEAN = {"layer.weight": [[[[1.0]]]], "layer.bias": [0.0]}


class Recorder:
    """Stands where the network is asked, and keeps what it was given."""

    def __init__(self, model: Model) -> None:
        self.model, self.given = model, torch.empty(0)

    def __getattr__(self, name: str) -> object:
        return getattr(self.model.forward, name)

    def __call__(self, image: Tensor) -> Tensor:
        self.given = image.clone()
        return Tensor(self.model.forward(image))


@pytest.mark.parametrize("name", ["turned", "halved", "flat"])
def test_the_pixels_are_bit_for_bit_what_the_network_gets_of_the_study(bundles, name: str) -> None:
    model = bundles(name)
    voxels = np.random.default_rng(1).normal(size=(1, 20, 24) if name == "flat" else (9, 11, 13)).astype(np.float32)
    ask = asked(voxels, volume(voxels, OBLIQUE, (0.7, 0.9, 2.0)).affine_lps)
    recorder = Recorder(model)

    Model(model.bundle, recorder).predict(ask)

    assert torch.equal(prepared(model.bundle, ask.volume())["image"][None], recorder.given)


@pytest.mark.parametrize("bundle", ["turned", "cropped"])
@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)), ids=str)
def test_a_mask_lies_on_the_voxels_it_was_drawn_on(bundles, bundle, directions, signs) -> None:
    voxels = marked()
    turned = tuple(tuple(sign * x for x in d) for sign, d in zip(signs, directions, strict=True))

    made = prepared(bundles(bundle).bundle, volume(voxels, turned), mask=voxels.astype(np.uint8))

    assert made["mask"].shape == made["image"].shape[1:]
    assert made["mask"].sum() == voxels.sum()
    assert torch.equal(made["mask"], (made["image"][0] > 0.5).to(torch.uint8))


def test_a_mask_is_resampled_as_the_bundle_would_by_nearest_neighbour(bundles) -> None:
    voxels = marked()
    bundle = bundles("halved").bundle
    asked_volume = volume(voxels, OBLIQUE, (0.7, 0.9, 2.0))
    bundle.preprocessing.transforms[-1].mode = ("nearest",)
    try:
        wanted = network_input(bundle, asked_volume)[0].as_tensor().to(torch.uint8)
    finally:
        bundle.preprocessing.transforms[-1].mode = ("bilinear",)

    found = prepared(bundle, asked_volume, mask=voxels.astype(np.uint8))["mask"]

    assert torch.equal(found, wanted)
    assert found.any()


@pytest.mark.parametrize("name", ["flat", "rows"])
def test_a_mask_on_a_projection_follows_its_axes(bundles, name: str) -> None:
    voxels = np.zeros((1, 20, 30), np.float32)
    voxels[0, 4:8, 15:25] = 1.0

    made = prepared(bundles(name).bundle, volume(voxels), mask=voxels.astype(np.uint8))

    assert made["mask"].shape == made["image"].shape[1:]
    assert (made["mask"].bool() ^ (made["image"][0] > 0.5)).float().mean() <= 0.1
    rows, columns = np.argwhere(made["mask"].numpy()).mean(axis=0)[:: 1 if name == "rows" else -1]
    sizes = {"rows": (20, 30), "flat": (12, 10)}[name]
    assert rows / sizes[0] == pytest.approx(5.5 / 20, abs=0.06)
    assert columns / sizes[1] == pytest.approx(19.5 / 30, abs=0.06)


def test_labels_of_the_mask_keep_their_numbers(bundles) -> None:
    mask = np.zeros((9, 11, 13), np.uint8)
    mask[2, 3, 4], mask[5, 6, 7] = 1, 105

    made = prepared(bundles("turned").bundle, volume(marked()), mask=mask)

    assert sorted(made["mask"].unique().tolist()) == [0, 1, 105]


@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
def test_boxes_go_onto_the_networks_grid_and_come_back(bundles, directions) -> None:
    bundle = bundles("boxes").bundle
    source = volume(marked((20, 20, 20)), directions, (1.0, 1.0, 3.0))
    boxes = np.array([[2, 6, 4, 5, 9, 10], [0, 0, 0, 1, 1, 1]], np.float32)

    made = prepared(bundle, source, boxes=boxes)
    back = to_source_boxes(bundle, source, network_input(bundle, source), made["boxes"].numpy().astype(float))

    assert made["boxes"].shape == (2, 6)
    assert np.allclose(back, np.stack([boxes[:, :3], boxes[:, 3:]], axis=2), atol=1e-4)


def test_a_mask_of_another_grid_and_a_bundle_that_loses_its_place_are_refused(bundles) -> None:
    with pytest.raises(ModelFault, match="the mask lies on a grid"):
        prepared(bundles("turned").bundle, volume(marked()), mask=np.zeros((9, 11, 12), np.uint8))
    with pytest.raises(ModelFault, match="does not tell where its image lies"):
        prepared(bundles("lost").bundle, volume(marked()), mask=np.zeros((9, 11, 13), np.uint8))


@pytest.fixture
def version(tmp_path: Path) -> ModelVersion:
    return bundle_made(tmp_path, "seg", "Threshold", dicom=segmentation_toml("seg"))


def order_of(version: ModelVersion, job: Path, items: Path, count: int) -> PrepareOrder:
    job.mkdir(exist_ok=True)
    for n in range(count):
        mask = np.zeros((3, 4, 5) if n != 1 else (9, 9, 9), np.uint8)
        mask[0, 0, 0] = 1
        voxels = np.full((3, 4, 5), n, np.float32) + np.arange(5, dtype=np.float32)
        save_file({"voxels": voxels, "affine_lps": np.eye(4), "mask": mask}, job / f"{n}.safetensors")
    raw = [Raw(file=f"{n}.safetensors", has_geometry=True, made=str(items / f"{n}.safetensors")) for n in range(count)]
    return PrepareOrder(bundle=version.folder, digest=version.digest, raw=tuple(raw))


def test_one_study_that_cannot_be_prepared_does_not_stop_the_others(version, tmp_path, monkeypatch) -> None:
    order, said = order_of(version, tmp_path / "job", tmp_path / "items", 3), []
    monkeypatch.setattr("sys.path", list(__import__("sys").path))

    done = prepare(order, tmp_path / "job", said.append)

    assert done["made"] == 2
    assert list(done["failed"]) == [order.raw[1].made]
    assert "the mask lies on a grid (9, 9, 9)" in done["failed"][order.raw[1].made]
    assert sorted(file.name for file in (tmp_path / "items").iterdir()) == ["0.safetensors", "2.safetensors"]
    assert said[-1] == {"stage": "prepare", "done": 3, "of": 3}
    item = load_file(tmp_path / "items" / "0.safetensors")
    assert {name: (part.shape, str(part.dtype)) for name, part in item.items()} == {
        "image": ((1, 5, 4, 3), "float32"),
        "mask": ((5, 4, 3), "uint8"),
    }
    with safe_open(tmp_path / "items" / "0.safetensors", "np") as file:
        assert file.metadata()[THUMBNAIL]
    json.dumps(done)


def test_what_is_there_already_is_not_made_again(version, tmp_path, monkeypatch) -> None:
    order = order_of(version, tmp_path / "job", tmp_path / "items", 1)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    Path(order.raw[0].made).parent.mkdir()
    Path(order.raw[0].made).write_bytes(b"whole")

    assert prepare(order, tmp_path / "job", lambda _: None)["made"] == 1

    assert Path(order.raw[0].made).read_bytes() == b"whole"


def test_a_bundle_that_was_changed_is_not_run(version, tmp_path) -> None:
    order = order_of(version, tmp_path / "job", tmp_path / "items", 1)
    (version.folder / "scripts" / "networks.py").write_text("raise SystemExit('run!')")

    with pytest.raises(ModelFault, match="has digest"):
        prepare(order, tmp_path / "job", lambda _: None)
