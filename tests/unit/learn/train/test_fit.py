"""A train job, from its order to its files."""

from pathlib import Path

import pytest
import torch

from dicomnode.learn.adapters.file import read_adapter, weights_digest
from dicomnode.learn.train.fit import train
from dicomnode.learn.train.job import opened
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, order_made, set_made

SPLITS = {Split.TRAIN: 40, Split.VALIDATION: 16, Split.CALIBRATION: 20, Split.TEST: 20}


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("recipe", [RecipeName.HEAD, RecipeName.NORM])
def test_a_small_recipe_learns_and_its_file_names_its_base(tmp_path: Path, recipe: RecipeName) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, SPLITS), recipe, epochs=6)

    told = train(order, tmp_path / "job", silent)

    adapter = read_adapter(tmp_path / "job" / "adapter.safetensors")
    assert told["file"] == "adapter.safetensors"
    assert adapter.base == told["base"] == weights_digest(opened(order)[0].network)
    assert all(name.startswith("set/") for name in adapter.tensors)
    assert told["history"][-1]["merit"] > 0.9  # type: ignore[index]


def test_full_training_learns_and_gives_the_bundles_own_network(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, SPLITS), RecipeName.FULL, epochs=12, learning_rate=0.01)

    told = train(order, tmp_path / "job", silent)

    network = opened(order)[0].network
    network.load_state_dict(torch.load(tmp_path / "job" / "model.pt", weights_only=True))
    assert (told["trainable"], told["total"]) == (705, 705)
    assert told["history"][-1]["merit"] > 0.9  # type: ignore[index]


@pytest.mark.parametrize("recipe", [RecipeName.ADAPTER, RecipeName.LPFT, RecipeName.SCRATCH])
def test_other_recipes_learn_too(tmp_path: Path, recipe: RecipeName) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, SPLITS), recipe, epochs=8, learning_rate=0.01)

    told = train(order, tmp_path / "job", silent)

    assert told["history"][-1]["merit"] > 0.9  # type: ignore[index]
