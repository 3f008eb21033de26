"""What a version says of items, as inference would say it."""

from pathlib import Path

import numpy as np
import pytest

from dicomnode.errors import ModelFault
from dicomnode.infer.bundle import load_bundle
from dicomnode.learn.evaluate.answer import answer
from dicomnode.learn.evaluate.answers import load_answers
from dicomnode.learn.evaluate.hits import iou
from dicomnode.learn.orders import AnswerOrder
from dicomnode.learn.sets.manifest import load_set
from dicomnode.learn.train.classifying import logits_of_pool
from dicomnode.learn.train.pool import ItemPool, files
from dicomnode.learn.values import Split
from tests.learning_made import classifier_made, items_of, set_made

CALIBRATED = "index = 0\nthreshold = 0.4\nslope = 2.0\nintercept = 0.5"


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_answers_are_the_networks_and_are_calibrated_as_dicom_toml_says(tmp_path: Path, activation: str) -> None:
    version = classifier_made(tmp_path, outputs=2, activation=activation, first=CALIBRATED)
    manifest = set_made(tmp_path, version, {Split.TEST: 6}, outputs=2)
    order = AnswerOrder(
        bundle=version.folder, digest=version.digest, device="cpu", training_set=manifest,
        items=items_of(manifest, Split.TEST)[::-1],
    )  # fmt: skip

    answer(order, tmp_path, silent)

    answers, training, bundle = load_answers(tmp_path / "answers.npz"), load_set(manifest), load_bundle(version.folder)
    expected = logits_of_pool(bundle, bundle.network, ItemPool(files(training, training.items[::-1])))
    assert (answers.version, answers.item_ids) == (version.digest, order.items)
    assert answers.patients == tuple(item.patient for item in training.items[::-1])
    assert answers.logits == pytest.approx(expected, abs=1e-4)
    assert answers.probabilities[:, 0] == pytest.approx(1 / (1 + np.exp(-2 * expected[:, 0] - 0.5)), abs=1e-4)
    assert answers.targets.tolist() == [list(item.targets) for item in training.items[::-1]]
    assert answers.dice.shape == (6, 0)


def test_an_item_that_is_not_in_the_set_is_refused(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    manifest = set_made(tmp_path, version, {Split.TEST: 2})
    order = AnswerOrder(bundle=version.folder, digest=version.digest, training_set=manifest, items=("abc",))

    with pytest.raises(ModelFault, match="item abc… is not in the training set"):
        answer(order, tmp_path, silent)


def test_another_bundle_than_the_ordered_one_does_not_answer(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    manifest = set_made(tmp_path, version, {Split.TEST: 2})
    order = AnswerOrder(bundle=version.folder, digest="0" * 64, training_set=manifest, items=("abc",))

    with pytest.raises(ModelFault, match="ordered is 000000000000…"):
        answer(order, tmp_path, silent)


def test_the_overlap_of_boxes_is_their_common_part_of_the_whole() -> None:
    assert iou(np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 3, 3])) == pytest.approx(1 / 7)
