"""A train job, from its order to its files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import ResNet

from dicomnode.learn.adapters.file import read_adapter, weights_digest
from dicomnode.learn.train.fit import train
from dicomnode.learn.train.job import opened
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, order_made, set_made

SPLITS = {Split.TRAIN: 40, Split.VALIDATION: 16, Split.CALIBRATION: 20, Split.TEST: 20}
ALL = 705
"""Figures of the small network: two convolutions with norm layers (80 + 16 + 584 + 16) and the head (9)."""


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


def trained(folder: Path, recipe: RecipeName, **more: Any) -> dict[str, Any]:
    """What a job says of the small network in the striped world."""
    version = classifier_made(folder)
    order = order_made(
        version, set_made(folder, version, SPLITS), recipe, **{"learning_rate": 0.02, "epochs": 6} | more
    )
    return train(order, folder / "job", silent)


def tiny_resnet(**arguments: Any) -> ResNet:
    """In the place of a network that takes a minute."""
    return ResNet("basic", [1, 1, 1, 1], [4, 4, 4, 4], **arguments)


@pytest.mark.parametrize(
    ("recipe", "trainable", "kinds"),
    [
        (RecipeName.HEAD, 9, {"set/head.weight", "set/head.bias"}),
        (RecipeName.NORM, 9 + 2 * 16 + 16, {f"set/features.{n}.{part}" for n in (1, 4) for part in ("weight", "bias")}),
        (RecipeName.ADAPTER, 9 + 4 * (9 + 8) + 4 * (72 + 8), {"lora_a/features.0.weight", "lora_b/features.3.weight"}),
    ],
)
def test_a_small_recipe_learns_and_its_file_names_its_base(
    tmp_path: Path, recipe: RecipeName, trainable: int, kinds: set[str]
) -> None:
    told = trained(tmp_path, recipe)

    adapter = read_adapter(tmp_path / "job" / "adapter.safetensors")
    assert (told["recipe"], told["file"], told["trainable"], told["total"]) == (
        recipe.value, "adapter.safetensors", trainable, ALL,
    )  # fmt: skip
    assert adapter.base == told["base"]
    assert kinds | {"set/head.weight"} <= adapter.tensors.keys()
    assert told["integrity"]["reload_logit_difference"] <= 1e-4
    assert told["history"][-1]["merit"] > 0.95


def test_the_base_is_bit_for_bit_what_it_was_after_an_adapter_was_trained_on_it(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, SPLITS), RecipeName.ADAPTER, epochs=3)
    before = weights_digest(opened(order)[0].network)

    told = train(order, tmp_path / "job", silent)

    assert told["base"] == before == weights_digest(opened(order)[0].network)


@pytest.mark.parametrize("recipe", [RecipeName.FULL, RecipeName.LPFT, RecipeName.SCRATCH])
def test_a_large_recipe_learns_and_gives_the_bundles_own_network(tmp_path: Path, recipe: RecipeName) -> None:
    told = trained(tmp_path, recipe)

    weights = torch.load(tmp_path / "job" / "model.pt", weights_only=True)
    assert (told["file"], told["trainable"]) == ("model.pt", ALL)
    assert weights["head.weight"].shape == (1, 8)
    assert told["history"][-1]["merit"] > 0.95
    assert (told["wise_alpha"] is not None) == (recipe is RecipeName.LPFT)


def test_recalibration_changes_no_weight_and_has_no_file(tmp_path: Path) -> None:
    told = trained(tmp_path, RecipeName.RECALIBRATE)

    (finding,) = told["calibration"]
    assert "file" not in told
    assert not list((tmp_path / "job").glob("*.safetensors"))
    assert finding["index"] == 0
    assert 0 < finding["threshold"] < 1


def test_a_recipe_that_is_named_below_its_count_runs_and_says_so(tmp_path: Path) -> None:
    told = trained(tmp_path, RecipeName.NORM, epochs=1)

    assert told["warnings"] == ["too few for a verdict: 76 patients, 200 are needed for norm"]


def test_what_may_be_tuned_is_what_dicom_toml_lets_change(tmp_path: Path) -> None:
    version = classifier_made(tmp_path, more='[tune]\ntrainable = ["features.4.*", "head.*"]')
    order = order_made(version, set_made(tmp_path, version, SPLITS), RecipeName.NORM, epochs=1)

    train(order, tmp_path / "job", silent)

    adapter = read_adapter(tmp_path / "job" / "adapter.safetensors")
    assert set(adapter.tensors) == {
        f"set/{name}.{part}" for name in ("features.4", "head") for part in ("weight", "bias")
    }


def test_findings_that_are_unknown_are_left_out_and_each_finding_is_learnt(tmp_path: Path) -> None:
    version = classifier_made(tmp_path, outputs=2)
    order = order_made(version, set_made(tmp_path, version, SPLITS, outputs=2, unknown=4), RecipeName.FULL, epochs=8,
                       learning_rate=0.02)  # fmt: skip

    told = train(order, tmp_path / "job", silent)

    assert [one["index"] for one in told["calibration"]] == [0, 1]
    assert told["history"][-1]["merit"] > 0.9


def test_the_published_recipe_tries_another_learning_rate_and_says_how_good_each_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomnode.learn.train.plain.resnet50", tiny_resnet)
    monkeypatch.setattr("dicomnode.learn.train.plain.FEATURES", 4)
    monkeypatch.setattr("dicomnode.learn.train.plain.PLAIN_SIZE", 32)
    monkeypatch.setattr("dicomnode.learn.train.plain.PLAIN_ACCURACY", 1.01)
    few = {Split.TRAIN: 8, Split.VALIDATION: 4, Split.CALIBRATION: 4}
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, few), RecipeName.PLAIN, epochs=1)

    told = train(order, tmp_path / "job", silent)

    assert [note.partition(",")[0] for note in told["notes"] if note.startswith("plain")] == [
        "plain: learning rate 0.001",
        "plain: learning rate 0.0001",
    ]
    assert told["file"] == "model.pt"
    assert told["network_def"] == {"_target_": "dicomnode.learn.train.plain.Plain", "channels": 1, "outputs": 1}
