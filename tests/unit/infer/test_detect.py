"""Boxes come back on the voxel, whatever the bundle did to the image before."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.apps.detection.transforms.dictionary import AffineBoxToWorldCoordinated
from numpy.typing import NDArray
from torch import nn

from dicomnode.errors import ModelFault
from dicomnode.infer.answer import Model
from dicomnode.infer.grid import network_input
from dicomnode.infer.protocol import prediction_message, prediction_of
from dicomnode.values import Detection, Lesion, ModelVersion
from tests.bundles_made import LOAD, asked, bundle_made, detection_toml, model_loaded, regridded
from tests.unit.infer.test_grid import AXIAL, OBLIQUE, SAGITTAL, affine

ZOO = (
    {"_target_": "ClipBoxToImaged", "box_keys": "box", "label_keys": "label", "box_ref_image_keys": "image"},
    {
        "_target_": "AffineBoxToWorldCoordinated", "box_keys": "box", "box_ref_image_keys": "image",
        "image_meta_key_postfix": "meta_dict", "affine_lps_to_ras": True,
    },
    {"_target_": "ConvertBoxModed", "box_keys": "box", "src_mode": "xyzxyz", "dst_mode": "cccwhd"},
    {"_target_": "DeleteItemsd", "keys": ["image"]},
)  # fmt: skip
"""As the lung nodule bundle of the Model Zoo brings its boxes to world coordinates."""


def made(folder: Path, name: str = "spots", **changes: Any) -> ModelVersion:
    return bundle_made(folder, name, "Spots", **({"dicom": detection_toml(name), "postprocessing": ZOO} | changes))


def lesions_of(
    model: Model, voxels: NDArray[np.float32], where: NDArray[np.float64] | None = None
) -> tuple[Lesion, ...]:
    answer = model.predict(asked(voxels, where)).answer
    assert isinstance(answer, Detection)
    return answer.lesions


@pytest.fixture(scope="module")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A bundle that turns to RAS, and whose boxes the zoo would write in world coordinates."""
    return model_loaded(made(tmp_path_factory.mktemp("models"), preprocessing=regridded((1.0, 1.0, 1.0))[:1]))


@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE, SAGITTAL], ids=["axial", "oblique", "sagittal"])
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)), ids=str)
def test_a_box_lies_around_its_voxels(turning: Model, directions: Any, signs: tuple[int, ...]) -> None:
    voxels = np.zeros((9, 11, 13), np.float32)
    voxels[2:4, 7, 4:9] = 1.0
    turned = tuple(tuple(sign * x for x in d) for sign, d in zip(signs, directions, strict=True))

    (lesion,) = lesions_of(turning, voxels, affine(turned, (0.7, 0.8, 2.5)))

    # a voxel reaches from its index to its index + 1
    assert np.array(lesion.box) == pytest.approx(np.array([(2, 4), (7, 8), (4, 9)]), abs=1e-4)
    assert lesion.probability == pytest.approx(0.9)


@pytest.mark.parametrize("directions", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
def test_a_box_of_a_resampled_image_is_right_to_a_voxel_of_the_networks_grid(tmp_path: Path, directions: Any) -> None:
    model = model_loaded(made(tmp_path, preprocessing=regridded((1.0, 1.0, 1.0))))
    voxels = np.zeros((10, 40, 40), np.float32)
    voxels[3:7, 10:22, 20:30] = 1.0

    (lesion,) = lesions_of(model, voxels, affine(directions, (0.5, 0.5, 2.0)))

    # the network's voxels of 1 mm are half a slice, and two rows and columns
    difference = np.abs(np.array(lesion.box) - np.array([(3, 7), (10, 22), (20, 30)]))
    assert (difference <= np.array([[0.5], [2], [2]])).all()


def test_padding_moves_no_box(tmp_path: Path) -> None:
    padded = [{"_target_": "SpatialPadd", "keys": "image", "spatial_size": [16, 16, 16]}]
    voxels = np.zeros((9, 11, 13), np.float32)
    voxels[2:4, 7, 4:9] = 1.0

    (lesion,) = lesions_of(model_loaded(made(tmp_path, preprocessing=padded)), voxels)

    assert np.array(lesion.box) == pytest.approx(np.array([(2, 4), (7, 8), (4, 9)]), abs=1e-4)


@pytest.mark.parametrize("reverse_indexing", [True, False])
def test_a_box_of_a_2d_image_lies_on_its_one_slice(tmp_path: Path, reverse_indexing: bool) -> None:
    loader = [LOAD[0] | {"reader": "PILReader", "reverse_indexing": reverse_indexing}, LOAD[1]]
    flat = made(tmp_path, loader=loader, postprocessing=None, dicom=detection_toml("spots", dimensions=2))
    image = np.zeros((1, 6, 8), np.float32)
    image[0, 1:3, 5:8] = 1.0

    (lesion,) = lesions_of(model_loaded(flat), image)

    assert np.array(lesion.box) == pytest.approx(np.array([(0, 1), (1, 3), (5, 8)]), abs=1e-4)


def test_findings_are_told_apart_by_their_labels_and_come_by_probability(tmp_path: Path) -> None:
    lines = ("index = 1\nintercept = 1.0", "index = 0")
    model = model_loaded(made(tmp_path, dicom=detection_toml("spots", findings=lines)))
    voxels = np.zeros((4, 4, 4), np.float32)
    voxels[0, 0, 0], voxels[3, 3, 3] = 1.0, 200.0

    lesions = lesions_of(model, voxels)

    # 0.9 is logit 2.197; with the intercept 3.197: 0.961
    assert [(one.index, round(one.probability, 3)) for one in lesions] == [(1, 0.961), (0, 0.9)]


def test_a_box_below_its_threshold_or_of_no_finding_is_not_given(tmp_path: Path) -> None:
    sure = made(tmp_path, "sure", dicom=detection_toml("sure", findings=("index = 0\nthreshold = 0.95",)))
    other = made(tmp_path, "other", dicom=detection_toml("other", findings=("index = 7",)))

    assert [lesions_of(model_loaded(one), np.ones((3, 3, 3), np.float32)) for one in (sure, other)] == [(), ()]


def test_nothing_found_is_an_answer(turning: Model) -> None:
    assert lesions_of(turning, np.zeros((3, 4, 5), np.float32)) == ()


def test_a_network_that_gives_no_boxes_is_at_fault(tmp_path: Path) -> None:
    version = bundle_made(tmp_path, "map", "Threshold", dicom=detection_toml("map"))

    with pytest.raises(ModelFault, match="not boxes with labels and scores"):
        model_loaded(version).predict(asked(np.ones((3, 3, 3), np.float32)))


def test_a_detector_is_set_up_as_its_bundle_says_before_it_is_asked(tmp_path: Path) -> None:
    extra = {"detector_ops": ["$setattr(@network_def, 'score', 0.7)"]}

    (lesion,) = lesions_of(model_loaded(made(tmp_path, extra=extra)), np.ones((3, 3, 3), np.float32))

    assert lesion.probability == pytest.approx(0.7)


RETINANET = {
    "network_def": {
        "_target_": "RetinaNet", "spatial_dims": 3, "num_classes": 1, "num_anchors": 2, "size_divisible": [2, 2, 2],
        "feature_extractor": {"_target_": "scripts.networks.Features"},
    },
    "anchor_generator": {
        "_target_": "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape",
        "feature_map_scales": [1], "base_anchor_shapes": [[4, 4, 4], [6, 6, 3]],
    },
    "detector": {"_target_": "RetinaNetDetector", "network": "@network", "anchor_generator": "@anchor_generator"},
    "detector_ops": [
        "$@detector.set_target_keys(box_key='box', label_key='label')",
        "$@detector.set_box_selector_parameters(score_thresh=0.0, topk_candidates_per_level=50, nms_thresh=0.2, "
        "detections_per_img=9)",
    ],
}  # fmt: skip
"""A small one, put together as the lung nodule bundle of the Model Zoo is."""


class Features(nn.Module):
    """As in the bundle."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels = 8
        self.layer = nn.Conv3d(1, 8, 3, stride=2, padding=1)


def retinanet_model(folder: Path) -> Model:
    """A RetinaNet of MONAI's with arbitrary weights, which finds something everywhere."""
    torch.manual_seed(0)
    weights = RetinaNet(3, 1, 2, Features(), size_divisible=[2, 2, 2]).state_dict()
    version = made(
        folder,
        weights={name: value.tolist() for name, value in weights.items()},
        extra=RETINANET,
        dicom=detection_toml("spots", findings=("index = 0\nthreshold = 0.001",)),
        preprocessing=regridded((1.0, 1.0, 1.0)),
        inferer={"_target_": "scripts.networks.Detecting", "detector": "@detector"},
    )
    return model_loaded(version)


def test_a_retinanets_boxes_lie_where_monai_says_they_lie(tmp_path: Path) -> None:
    model, where = retinanet_model(tmp_path), affine(AXIAL, (0.9, 1.1, 2.0))
    voxels = np.random.default_rng(3).random((8, 30, 30)).astype(np.float32)

    ours = world_boxes(lesions_of(model, voxels, where), where)

    image = network_input(model.bundle, asked(voxels, where).volume())
    with torch.no_grad():
        (found,) = model.bundle.inferer(image.as_tensor()[None].float(), model.bundle.network)
    most_probable_first = found["label_scores"].argsort(descending=True)
    theirs = AffineBoxToWorldCoordinated("box", "image")({**found, "image": image})["box"][most_probable_first].numpy()
    boxes = found["box"][most_probable_first].numpy()
    whole = (boxes[:, :3] > 1).all(axis=1) & (boxes[:, 3:] < np.array(image.shape[1:]) - 2).all(axis=1)
    assert len(ours) == 9
    assert whole.sum() > 2
    assert ours[whole] == pytest.approx(theirs[whole], abs=1e-3)


def world_boxes(lesions: tuple[Lesion, ...], where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes as MONAI has them: lowest and highest RAS mm, where a voxel's centre has a whole index."""
    ends = np.array([lesion.box for lesion in lesions])[:, ::-1].transpose(0, 2, 1) - 0.5  # (first or last, (i, j, k))
    ras = (ends @ where[:3, :3].T + where[:3, 3]) * (-1, -1, 1)
    return np.concatenate([ras.min(axis=1), ras.max(axis=1)], axis=1)


def test_lesions_travel_unchanged(turning: Model) -> None:
    said = turning.predict(asked(np.ones((3, 4, 5), np.float32)))

    assert prediction_of(prediction_message(said)).answer == said.answer
