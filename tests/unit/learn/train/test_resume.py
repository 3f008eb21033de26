"""A training that was stopped goes on, and ends bit for bit where it would have ended."""

from pathlib import Path

import pytest

from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.train.faults import NoRoomToLearn
from dicomnode.learn.train.fit import train
from dicomnode.learn.values import RecipeName, Split
from tests.full_disk import empty, fill, small_disk
from tests.learning_made import classifier_made, order_made, set_made

SPLITS = {Split.TRAIN: 20, Split.VALIDATION: 8, Split.CALIBRATION: 8}
FILES = {RecipeName.NORM: "adapter.safetensors", RecipeName.ADAPTER: "adapter.safetensors", RecipeName.FULL: "model.pt"}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


class KilledAt:
    """Ends the training when so many epochs are whole."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, told: dict[str, object]) -> None:
        if told["done"] == self.epoch:
            raise Killed


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


def ordered(folder: Path, recipe: RecipeName) -> TrainOrder:
    """Five epochs of the small network."""
    version = classifier_made(folder)
    return order_made(version, set_made(folder, version, SPLITS), recipe, epochs=5, learning_rate=0.01)


@pytest.mark.parametrize("recipe", FILES)
def test_the_same_order_gives_the_same_bytes_also_when_it_was_killed_on_the_way(
    tmp_path: Path, recipe: RecipeName
) -> None:
    order = ordered(tmp_path, recipe)
    told = train(order, tmp_path / "whole", silent)

    with pytest.raises(Killed):
        train(order, tmp_path / "killed", KilledAt(3))
    again = train(order, tmp_path / "killed", silent)

    assert told["deterministic"]
    assert told["history"] == again["history"]
    assert (tmp_path / "whole" / FILES[recipe]).read_bytes() == (tmp_path / "killed" / FILES[recipe]).read_bytes()


def test_a_damaged_checkpoint_begins_the_training_anew(tmp_path: Path) -> None:
    order = ordered(tmp_path, RecipeName.NORM)
    with pytest.raises(Killed):
        train(order, tmp_path / "killed", KilledAt(2))
    checkpoint = tmp_path / "killed" / "norm.checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])

    told = train(order, tmp_path / "killed", silent)

    assert told["epochs"] == 5


def test_another_orders_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    order = ordered(tmp_path, RecipeName.NORM)
    with pytest.raises(Killed):
        train(order, tmp_path / "killed", KilledAt(2))

    told = train(order.model_copy(update={"seed": 4}), tmp_path / "killed", silent)

    other = train(order.model_copy(update={"seed": 4}), tmp_path / "other", silent)
    assert told["history"] == other["history"]


def test_a_full_disk_is_told_and_the_training_goes_on_when_there_is_room(tmp_path: Path) -> None:
    order = ordered(tmp_path, RecipeName.FULL)
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(Killed):
            train(order, disk / "job", KilledAt(2))
        fill(disk)
        with pytest.raises(NoRoomToLearn, match="the disk is full"):
            train(order, disk / "job", silent)
        kept = sorted(path.name for path in (disk / "job").iterdir())
        empty(disk)

        told = train(order, disk / "job", silent)

    assert kept == ["full.checkpoint"]
    assert told["epochs"] == 5
