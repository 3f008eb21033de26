from dataclasses import replace
from pathlib import Path

import numpy as np

from dicomnode.handover import forget, hand_over, handed_over, handed_runs, handover_folder
from dicomnode.values import (
    Classification,
    Detection,
    DomainAnswer,
    FindingScore,
    Frame,
    Lesion,
    Prediction,
    Segmentation,
    Volume,
)

AFFINE = np.diag([0.5, 0.5, 2.0, 1.0])


def volume(slices: int = 2) -> Volume:
    frames = tuple(Frame(f"1.2.{k}", "1.2.840.10008.5.1.4.1.1.4", None, Path(f"{k}.dcm")) for k in range(slices))
    return Volume(np.ones((slices, 3, 4), np.float32), AFFINE, frames, "1.2", "1.2.9", True, ("a note",))


def test_a_segmentation_is_handed_over_unchanged(tmp_path: Path) -> None:
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    given = Prediction(Segmentation(labels, {1: 0.25}), DomainAnswer(True), "cpu", {"forward": 1.5}, ("halved",))

    hand_over(tmp_path, "key", volume(), given)
    where, taken = handed_over(tmp_path, "key")

    assert isinstance(taken.answer, Segmentation)
    assert np.array_equal(taken.answer.labels, labels)
    assert taken.answer.uncertainty == {1: 0.25}
    assert (taken.domain, taken.device, taken.seconds, taken.notes) == (
        given.domain,
        "cpu",
        {"forward": 1.5},
        ("halved",),
    )
    assert (where.frames, where.voxels.shape, where.notes) == (volume().frames, (2, 3, 4), ("a note",))
    assert np.array_equal(where.affine_lps, AFFINE)


def test_the_voxels_inside_the_label_map_are_handed_over_to_be_measured(tmp_path: Path) -> None:
    labels = np.zeros((2, 3, 4), np.uint8)
    labels[1, 2, 1:3] = 4
    images = replace(volume(), voxels=np.arange(24, dtype=np.float32).reshape(2, 3, 4))

    hand_over(tmp_path, "key", images, Prediction(Segmentation(labels), DomainAnswer(True), "cpu"))
    where, _ = handed_over(tmp_path, "key")

    # slice 1, row 2, columns 1 and 2: 12 + 8 + 1 and 2
    assert where.voxels[1, 2, 1:3].tolist() == [21, 22]
    assert np.count_nonzero(np.isfinite(where.voxels)) == 2


def test_the_slices_that_are_shown_are_handed_over_whole(tmp_path: Path) -> None:
    images = replace(volume(3), voxels=np.arange(36, dtype=np.float32).reshape(3, 3, 4))
    labels = np.zeros((3, 3, 4), np.uint8)

    hand_over(tmp_path, "key", images, Prediction(Segmentation(labels), DomainAnswer(True), "cpu"), (1,))
    where, _ = handed_over(tmp_path, "key")

    assert np.array_equal(where.voxels[1], images.voxels[1])
    assert np.isnan(where.voxels[[0, 2]]).all()


def test_a_radiograph_that_is_shown_is_handed_over_whole(tmp_path: Path) -> None:
    given = Prediction(Classification((FindingScore(0, 0.9, 0.01, True),)), DomainAnswer(True), "cpu")

    hand_over(tmp_path, "key", volume(1), given, (0,))
    where, _ = handed_over(tmp_path, "key")

    assert np.array_equal(where.voxels, volume(1).voxels)


def test_a_classification_is_handed_over_with_its_saliency_map(tmp_path: Path) -> None:
    saliency = np.full((1, 3, 4), 0.5, np.float32)
    scores = (FindingScore(0, 0.9, 0.01, True), FindingScore(1, None, None, None))
    given = Prediction(Classification(scores, saliency), DomainAnswer(False, ("too old",)), "cpu")

    hand_over(tmp_path, "key", volume(1), given)
    _, taken = handed_over(tmp_path, "key")

    assert isinstance(taken.answer, Classification)
    assert taken.answer.scores == scores
    assert taken.answer.saliency is not None
    assert np.array_equal(taken.answer.saliency, saliency)
    assert taken.domain == DomainAnswer(False, ("too old",))


def test_lesions_are_handed_over_unchanged(tmp_path: Path) -> None:
    lesion = Lesion(3, 0.875, ((0.5, 1.5), (1.0, 2.25), (0.0, 3.0)))
    given = Prediction(Detection((lesion,)), DomainAnswer(True), "cpu")

    hand_over(tmp_path, "key", volume(), given)
    _, taken = handed_over(tmp_path, "key")

    assert taken.answer == given.answer


def test_handing_over_twice_keeps_the_second(tmp_path: Path) -> None:
    for value in (1, 2):
        labels = np.full((2, 3, 4), value, np.uint8)
        hand_over(tmp_path, "key", volume(), Prediction(Segmentation(labels), DomainAnswer(True), "cpu"))

    _, taken = handed_over(tmp_path, "key")

    assert isinstance(taken.answer, Segmentation)
    assert taken.answer.labels.max() == taken.answer.labels.min() == 2


def test_what_a_killed_process_wrote_of_a_run_goes_with_the_next_try(tmp_path: Path) -> None:
    left, other = (handover_folder(tmp_path, f"{key}.123.part") for key in ("key", "other"))
    left.mkdir(parents=True)
    other.mkdir()

    hand_over(
        tmp_path, "key", volume(), Prediction(Segmentation(np.zeros((2, 3, 4), np.uint8)), DomainAnswer(True), "cpu")
    )

    assert not left.exists()
    assert other.exists()
    assert handed_runs(tmp_path) == {"key", "other"}
    forget(tmp_path, "other")
    assert not other.exists()


def test_what_is_forgotten_is_gone_and_nothing_else(tmp_path: Path) -> None:
    prediction = Prediction(Segmentation(np.zeros((2, 3, 4), np.uint8)), DomainAnswer(True), "cpu")
    for key in ("old", "new"):
        hand_over(tmp_path, key, volume(), prediction)

    for key in ("old", "never there"):
        forget(tmp_path, key)

    assert not handover_folder(tmp_path, "old").exists()
    assert handover_folder(tmp_path, "new").exists()


def test_a_map_of_probability_is_handed_over_where_there_is_one(tmp_path: Path) -> None:
    labels, probability = np.zeros((2, 3, 4), np.uint8), np.full((2, 3, 4), 0.25, np.float16)
    given = Prediction(Segmentation(labels, probability=probability), DomainAnswer(True), "cpu")

    hand_over(tmp_path, "key", volume(), given)
    _, taken = handed_over(tmp_path, "key")

    assert isinstance(taken.answer, Segmentation)
    assert taken.answer.probability is not None
    assert taken.answer.probability.dtype == np.float16
    assert np.array_equal(taken.answer.probability, probability)
