"""What the bench of learning may use for what, and its figures."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dicomnode.bench.learning import RECIPES, Wanted, arms
from dicomnode.bench.learning_arms import CHOSEN, WITHOUT_REPLAY, Arm, rows
from dicomnode.bench.learning_data import Picture, labelled_at_b, pictures, sealed_at_b, splits_of_a
from dicomnode.bench.learning_told import Draw, between, draws, pairs
from dicomnode.errors import ConfigFault
from dicomnode.learn.values import RecipeName, Split

HOSPITAL = [Picture(Path(f"{label}-{group}-{n}"), label, f"g{label}{group}") for label in (0, 1) for group in range(31)
            for n in range(20)]  # fmt: skip


def test_no_group_of_the_second_hospital_is_in_two_parts_and_none_of_the_test_is_labelled() -> None:
    test = set(sealed_at_b(HOSPITAL))

    labelled = list(labelled_at_b(HOSPITAL, 0, 400))

    parts = {split: {picture.group for picture, own in labelled if own is split} for split in Split}
    used = [group for groups in parts.values() for group in groups]
    assert len(test) == 22
    assert len(used) == len(set(used)) == 40
    assert not test & set(used)


def test_a_larger_size_holds_every_image_of_a_smaller_one_half_of_each_class() -> None:
    small, large = (list(labelled_at_b(HOSPITAL, 3, size)) for size in (50, 200))

    assert set(small) <= set(large)
    assert Counter(picture.label for picture, _ in small) == {0: 25, 1: 25}
    assert Counter(split for _, split in large) == {Split.TRAIN: 120, Split.VALIDATION: 40, Split.CALIBRATION: 40}
    assert set(labelled_at_b(HOSPITAL, 4, 50)) != set(small)


def test_groups_of_the_first_hospital_are_parted_by_hash_alone() -> None:
    assert splits_of_a(HOSPITAL) == splits_of_a(HOSPITAL[::-1])
    assert Counter(splits_of_a(HOSPITAL).values())[Split.RETENTION] == 18


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"needs an index\.csv with path, label and group"):
        pictures(tmp_path)


def test_the_first_seed_runs_first_at_every_size() -> None:
    listed = list(arms(Wanted(Path(), Path(), Path(), (50, 100), 2, RECIPES, (50,))))

    each = len(RECIPES) + 2
    assert {arm.seed for arm in listed[: 2 * each]} == {0}
    assert listed[2 * each] == Arm("plain", 50, 0)
    assert {arm.seed for arm in listed[2 * each + 1 :]} == {1}
    assert [arm.name for arm in listed[each - 2 : each]] == [WITHOUT_REPLAY, CHOSEN]
    assert Arm(WITHOUT_REPLAY, 50, 0).recipe is RecipeName.LPFT


def test_a_line_that_a_stop_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"arm": "base"}\n{"arm": "he')

    assert rows(tmp_path) == [{"arm": "base"}]


def test_auc_from_pairs_of_groups_is_the_auc_of_the_images_drawn() -> None:
    rng = np.random.default_rng(2)
    groups = np.array([f"g{n // 5}" for n in range(40)])
    targets, logits = (np.arange(40) < 20).astype(float), rng.normal(0, 1, 40).round(1)

    found = pairs(logits, targets, groups)

    assert found.auc(Draw(np.ones(4), np.ones(4))) == pytest.approx(roc_auc_score(targets, logits))
    weights = np.concatenate([np.repeat([2, 0, 1, 1], 5), np.ones(20)])
    drawn = found.auc(Draw(np.array([2.0, 0, 1, 1]), np.ones(4)))
    assert drawn == pytest.approx(roc_auc_score(targets, logits, sample_weight=weights))


def test_the_first_draw_is_every_group_once_and_the_others_give_the_interval() -> None:
    found = pairs(np.arange(8.0), np.array([0.0, 0, 0, 0, 1, 1, 1, 1]), np.array(list("aabbccdd")))

    drawn = draws(found, 50)

    assert (len(drawn), drawn[0].positive.tolist()) == (51, [1.0, 1.0])
    assert {draw.positive.sum() for draw in drawn} == {2.0}
    assert str(between([0.5, *np.linspace(0, 1, 101)])) == "0.500 (0.025-0.975)"
