"""Segmentation and detection learn by the same loop."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dicomnode.bundles.digest import digest
from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import load_bundle
from dicomnode.learn.adapters.file import read_adapter
from dicomnode.learn.evaluate.answer import answer
from dicomnode.learn.evaluate.answers import load_answers
from dicomnode.learn.orders import AnswerOrder
from dicomnode.learn.train.fit import train
from dicomnode.learn.train.segmenting import Segmenting, dice
from dicomnode.learn.values import Answers, Item, RecipeName, Split
from dicomnode.values import ModelVersion
from tests.bundles_made import detection_toml, segmentation_toml
from tests.learning_made import item_made, items_of, manifest_made, network_made, order_made

SEGMENTER = '''
from torch import nn


class Cubes(nn.Module):
    """A voxel's channels from its neighbours, with a norm layer between; only in windows, as a U-Net."""

    def __init__(self, outputs=2):
        super().__init__()
        self.body = nn.Sequential(nn.Conv3d(1, 6, 3, padding=1), nn.BatchNorm3d(6), nn.ReLU())
        self.last = nn.Conv3d(6, outputs, 1)

    def forward(self, x):
        if any(size % 8 for size in x.shape[2:]):
            raise ValueError(f"sizes must be multiples of 8: {tuple(x.shape)}")
        return self.last(self.body(x))
'''
DETECTOR = """
import torch
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.inferers import Inferer
from torch import nn


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.out_channels = 8
        self.layer = nn.Conv3d(1, 8, 3, stride=2, padding=1)

    def forward(self, x):
        return {"0": torch.relu(self.layer(x))}


class Net(RetinaNet):
    def __init__(self):
        super().__init__(3, 1, 1, Features(), size_divisible=[2, 2, 2])


class Detecting(Inferer):
    def __init__(self, detector):
        super().__init__()
        self.detector = detector

    def __call__(self, inputs, network):
        self.detector.network, self.detector.training = network, network.training
        return self.detector(inputs, use_inferer=False)
"""
SPLITS = (Split.TRAIN,) * 6 + (Split.VALIDATION,) * 2 + (Split.CALIBRATION,) * 2 + (Split.TEST,) * 2


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


def volume(n: int) -> tuple[torch.Tensor, tuple[int, int, int]]:
    """Noise with a bright cube of 5 voxels, and where it begins."""
    rng = np.random.default_rng(n)
    image = rng.normal(0, 0.3, (1, 14, 14, 14)).astype(np.float32)
    i, j, k = (int(at) for at in rng.integers(1, 8, 3))
    image[0, i : i + 5, j : j + 5, k : k + 5] += 2.0
    return torch.from_numpy(image), (i, j, k)


def masked(folder: Path) -> list[Item]:
    """Volumes with a mask of the cube."""
    found = []
    for n, split in enumerate(SPLITS):
        image, (i, j, k) = volume(n)
        mask = torch.zeros(14, 14, 14, dtype=torch.uint8)
        mask[i : i + 5, j : j + 5, k : k + 5] = 1
        found.append(item_made(folder, {"image": image, "mask": mask}, f"p{n}", split))
    return found


def segmenter(folder: Path, **told: str) -> ModelVersion:
    """A bundle with windows of 8 voxels."""
    inferer = {"_target_": "SlidingWindowInferer", "roi_size": [8, 8, 8], "sw_batch_size": 4, "overlap": 0.25}
    outputs = 1 if told.get("activation") == "sigmoid" else 2
    return network_made(
        folder, "cubes", segmentation_toml("cubes", **told), {"outputs": outputs}, more={"inferer": inferer},
        code=SEGMENTER, of="Cubes",
    )  # fmt: skip


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_segmentation_learns_in_windows_and_is_answered_as_a_whole(tmp_path: Path, activation: str) -> None:
    version = segmenter(tmp_path, activation=activation)
    manifest = manifest_made(tmp_path, version, masked(tmp_path))

    order = order_made(version, manifest, RecipeName.FULL, epochs=16, learning_rate=0.05)

    told = train(order, tmp_path / "job", silent)

    weights = (tmp_path / "job" / "model.pt").read_bytes()
    assert told["history"][-1]["merit"] > 0.9  # type: ignore[index]
    (version.folder / "models" / "model.pt").write_bytes(weights)
    answers = answered(tmp_path, version, manifest)
    assert answers.dice.shape == (2, 1)
    assert answers.dice.min() > 0.8


def answered(folder: Path, version: ModelVersion, manifest: Path) -> Answers:
    """What the bundle, as it lies there now, says of the test items."""
    order = AnswerOrder(
        bundle=version.folder, digest=digest(version.folder), device="cpu", training_set=manifest,
        items=items_of(manifest, Split.TEST),
    )  # fmt: skip
    answer(order, folder, silent)
    return load_answers(folder / "answers.npz")


@pytest.mark.parametrize("recipe", [RecipeName.NORM, RecipeName.ADAPTER, RecipeName.HEAD])
def test_a_small_recipe_tunes_a_volumes_network(tmp_path: Path, recipe: RecipeName) -> None:
    version = segmenter(tmp_path)
    manifest = manifest_made(tmp_path, version, masked(tmp_path))

    told = train(order_made(version, manifest, recipe, epochs=2), tmp_path / "job", silent)

    kinds = {name.partition("/")[0] for name in read_adapter(tmp_path / "job" / "adapter.safetensors").tensors}
    assert kinds == ({"set", "ia3"} if recipe is RecipeName.ADAPTER else {"set"})
    assert told["integrity"]["reload_logit_difference"] <= 1e-4  # type: ignore[index]


def test_probing_then_tuning_learns_a_network_that_takes_windows_alone(tmp_path: Path) -> None:
    version = segmenter(tmp_path)
    manifest = manifest_made(tmp_path, version, masked(tmp_path))

    told = train(order_made(version, manifest, RecipeName.LPFT, epochs=1), tmp_path / "job", silent)

    assert told["file"] == "model.pt"


def test_dice_is_of_each_structure_and_none_where_nobody_sees_it(tmp_path: Path) -> None:
    bundle = load_bundle(segmenter(tmp_path).folder)
    one, other = torch.zeros(4), torch.tensor([1.0, 1, 0, 0])

    assert dice(bundle, other, torch.tensor([1.0, 0, 0, 0])) == (pytest.approx(2 / 3),)
    assert np.isnan(dice(bundle, one, one)[0])


def test_lesions_are_learnt_with_a_focal_loss(tmp_path: Path) -> None:
    bundle = load_bundle(segmenter(tmp_path, more="lesions = true").folder)

    assert type(Segmenting(bundle)._loss).__name__ == "DiceFocalLoss"


def detector(folder: Path) -> ModelVersion:
    """A RetinaNet put together as the Model Zoo's lung nodule bundle is."""
    more = {
        "anchor_generator": {
            "_target_": "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape",
            "feature_map_scales": [1], "base_anchor_shapes": [[5, 5, 5]],
        },
        "detector": {
            "_target_": "RetinaNetDetector", "network": "@network_def", "anchor_generator": "@anchor_generator",
        },
        "detector_ops": [
            "$@detector.set_target_keys(box_key='box', label_key='label')",
            "$@detector.set_box_selector_parameters(score_thresh=0.0, topk_candidates_per_level=50, nms_thresh=0.2, "
            "detections_per_img=9)",
        ],
    }  # fmt: skip
    return network_made(
        folder, "spots", detection_toml("spots"), {}, more=more, code=DETECTOR, of="Net", inferer="Detecting"
    )


def boxed(folder: Path) -> list[Item]:
    """Volumes with the box of the cube, edges half a voxel around its first and last centre."""
    found = []
    for n, split in enumerate(SPLITS):
        image, place = volume(n)
        box = torch.tensor([[*(at - 0.5 for at in place), *(at + 4.5 for at in place)]])
        tensors = {"image": image, "boxes": box.float(), "labels": torch.zeros(1, dtype=torch.int64)}
        found.append(item_made(folder, tensors, f"p{n}", split))
    return found


@pytest.mark.parametrize("recipe", [RecipeName.HEAD, RecipeName.FULL])
def test_a_detector_learns(tmp_path: Path, recipe: RecipeName) -> None:
    version = detector(tmp_path)
    manifest = manifest_made(tmp_path, version, boxed(tmp_path))

    told = train(order_made(version, manifest, recipe, epochs=4, learning_rate=0.01), tmp_path / "job", silent)

    history: list[dict[str, float]] = told["history"]  # type: ignore[assignment]
    assert history[-1]["loss"] < history[0]["loss"]
    if recipe is RecipeName.HEAD:
        names = read_adapter(tmp_path / "job" / "adapter.safetensors").tensors
        assert all("_head." in name for name in names)
    answers = answered(tmp_path, version, manifest)
    assert answers.lesions == (1, 1)
    assert all(0 <= score <= 1 for boxes in answers.hits for score, _ in boxes)


def test_a_detector_that_is_no_retinanet_says_so(tmp_path: Path) -> None:
    version = network_made(tmp_path, "small", detection_toml("small", dimensions=2), {})
    manifest = manifest_made(tmp_path, version, boxed(tmp_path))

    with pytest.raises(ModelFault, match="holds no RetinaNet detector: it cannot learn here"):
        train(order_made(version, manifest, RecipeName.FULL), tmp_path / "job", silent)
