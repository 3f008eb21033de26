"""What cannot be learnt from, in words for the person who wanted it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dicomnode.errors import ModelFault
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.train.faults import Diverged, NothingToLearnFrom, OneClassOnly, TooFew
from dicomnode.learn.train.fit import train
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, item_made, manifest_made, order_made, set_made


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


def test_ten_labels_are_too_few_and_the_answer_says_how_many_are_needed(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    ten = {Split.TRAIN: 6, Split.VALIDATION: 2, Split.CALIBRATION: 2}
    order = order_made(version, set_made(tmp_path, version, ten), RecipeName.AUTO)

    with pytest.raises(TooFew, match="too few: 10 patients with a label, 5 of them in the rarer class; needed are 50 "
                                     "patients with 10"):  # fmt: skip
        train(order, tmp_path / "job", silent)


def test_a_finding_without_a_positive_is_named(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    items = [replace(item, targets=(0.0,)) for item in load_set(set_made(tmp_path, version, {Split.TRAIN: 6})).items]
    order = order_made(version, manifest_made(tmp_path, version, items), RecipeName.HEAD)

    with pytest.raises(OneClassOnly, match="no label says finding 0 present"):
        train(order, tmp_path / "job", silent)


def test_a_set_without_a_training_patient_is_refused(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, {Split.TEST: 4}), RecipeName.HEAD)

    with pytest.raises(NothingToLearnFrom, match="no patient with a label is in the train split"):
        train(order, tmp_path / "job", silent)


@pytest.mark.parametrize("recipe", [RecipeName.NORM, RecipeName.HEAD])
def test_an_image_that_is_no_number_ends_the_training_in_clear_words_and_leaves_no_file(
    tmp_path: Path, recipe: RecipeName
) -> None:
    version = classifier_made(tmp_path)
    items = list(load_set(set_made(tmp_path, version, {Split.TRAIN: 8, Split.VALIDATION: 4})).items)
    broken = item_made(tmp_path, {"image": torch.full((1, 16, 16), float("nan"))}, "x", Split.TRAIN, (1.0,))
    order = order_made(version, manifest_made(tmp_path, version, [*items, broken]), recipe)

    with pytest.raises(Diverged, match="the loss was no number in epoch 1"):
        train(order, tmp_path / "job", silent)

    assert not list((tmp_path / "job").glob("*"))


def test_a_set_that_labels_other_findings_is_refused(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, {Split.TRAIN: 4}, outputs=2), RecipeName.HEAD)

    with pytest.raises(ModelFault, match="labels 2 findings, bundle small has 1"):
        train(order, tmp_path / "job", silent)


def test_a_damaged_item_is_named(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    manifest = set_made(tmp_path, version, {Split.TRAIN: 4})
    item = load_set(manifest).items[1]
    (tmp_path / "items" / item.file).write_bytes(b"no tensors")

    with pytest.raises(ModelFault, match=f"item {item.item_id[:12]}… cannot be read"):
        train(order_made(version, manifest, RecipeName.HEAD), tmp_path / "job", silent)


def test_a_manifest_that_was_changed_is_refused(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    manifest = set_made(tmp_path, version, {Split.TRAIN: 4})
    manifest.write_text(manifest.read_text().replace("[1.0]", "[0.0]"))

    with pytest.raises(ModelFault, match="is not what its name says"):
        train(order_made(version, manifest, RecipeName.HEAD), tmp_path / "job", silent)
