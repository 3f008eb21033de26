"""The drawn worlds of `dicomnode bench recipes`, and what is told of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicomnode.bench.learning_arms import CHOSEN, WITHOUT_REPLAY
from dicomnode.bench.worlds import ARMS, RECIPES, recipes
from dicomnode.bench.worlds_drawn import MILD, WORLDS, A, C, Domain, drawn, image
from dicomnode.bench.worlds_told import World, over_seeds, targets
from dicomnode.learn.values import RecipeName

ALONE = Domain("alone", 9, radius=(2.0, 2.0), height=10.0, noise=0.0)


def test_images_are_drawn_once_half_of_them_with_a_lesion_and_never_twice_the_same(tmp_path: Path) -> None:
    found = drawn(tmp_path / "one", MILD, 0, 10)
    again, others = drawn(tmp_path / "again", MILD, 0, 10), drawn(tmp_path / "others", MILD, 1, 10)

    assert [picture.label for picture in found] == [0, 1] * 5
    assert len({picture.group for picture in (*found, *others)}) == 20
    pixels = [[one.path.read_bytes() for one in part] for part in (found, again, others)]
    assert pixels[0] == pixels[1]
    assert len({*pixels[0], *pixels[2]}) == 20
    assert drawn(tmp_path / "one", MILD, 7, 99) == found, "what is there is not drawn again"


def test_a_domain_has_a_chance_of_its_own() -> None:
    assert len({domain.number for domain in (A, C, *WORLDS)}) == 4


def test_a_rate_is_searched_for_whatever_an_arm_trains() -> None:
    assert recipes(("full", WITHOUT_REPLAY, CHOSEN)) == [RecipeName.LPFT, RecipeName.FULL]
    assert recipes(ARMS) == list(RECIPES)


def test_a_lesion_is_a_disc_of_its_radius_and_height_on_what_would_be_there_without() -> None:
    # the same chance: what differs is the lesion alone, 10 ± 40 % units of 28 grey values, cut off at 255
    without, with_one = (
        image(ALONE, np.random.default_rng(3), lesion=lesion).astype(float) for lesion in (False, True)
    )

    changed = with_one - without
    assert changed.min() >= 0
    assert np.pi * 2**2 * 0.8 < (changed > changed.max() / 2).sum() < np.pi * 3.5**2


def write(out: Path, name: str, rows: list[dict[str, Any]]) -> World:
    (out / name).mkdir()
    base = {"arm": "base", "size": 0, "seed": 0, "auc": {"b": 0.8, "a": 0.98, "c": 0.9}}
    (out / name / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [base, *rows]))
    return World(out, name)


def row(arm: str, seed: int, here: float, on_a: float = 0.98, on_c: float = 0.9) -> dict[str, Any]:
    auc = {"b": here, "a": on_a, "c": on_c}
    return {"arm": arm, "size": 300, "seed": seed, "auc": auc, "trainable": 30, "total": 1000}


def test_the_choice_is_held_against_the_best_rung_that_was_allowed(tmp_path: Path) -> None:
    rows = [row(arm, seed, here) for seed in range(5) for arm, here in (("head", 0.80), ("norm", 0.83), ("full", 0.99))]
    taken = ["norm", "norm", "norm", "head", "head"]
    rows += [
        row(CHOSEN, seed, {"head": 0.80, "norm": 0.83}[name]) | {"recipe": name, "cv": {"head": {}, "norm": {}}}
        for seed, name in enumerate(taken)
    ]

    (found,) = targets(write(tmp_path, "mild", rows))

    assert (found.target, found.verdict) == ("T4", "MISSED")
    assert found.margin == pytest.approx(0.6 - 0.8), "0.03 behind in two seeds of five; `full` was not allowed"


def test_the_better_small_adapter_counts_and_its_ratio_is_taken_seed_by_seed(tmp_path: Path) -> None:
    each = {"norm": (0.80, 0.90), "adapter": (0.88, 0.90), "full": (0.80, 0.90)}
    rows = [row(arm, seed, here[seed]) for arm, here in each.items() for seed in (0, 1)]

    (found,) = targets(write(tmp_path, "large", rows))

    assert found.words.startswith("adapter (3.0% of the parameters)")
    assert found.margin == pytest.approx((1.10 + 1.00) / 2 - 0.98)


def test_held_to_the_base_is_judged_here_elsewhere_and_by_what_was_forgotten(tmp_path: Path) -> None:
    rows = [row("full", 0, 0.90, on_a=0.90, on_c=0.80), row(WITHOUT_REPLAY, 0, 0.87, on_a=0.95, on_c=0.78)]

    here, elsewhere, forgotten = targets(write(tmp_path, "mild", rows))

    assert [one.target for one in (here, elsewhere, forgotten)] == ["T5", "T5", "T6"]
    assert (here.margin, here.verdict) == (pytest.approx(-0.01), "MISSED")
    assert (elsewhere.margin, elsewhere.verdict) == (pytest.approx((-0.02 + 0.05) / 2), "reached")
    assert (forgotten.margin, forgotten.verdict) == (pytest.approx(0.08 / 2 - 0.03), "reached")


def test_a_world_whose_features_are_not_good_does_not_count_for_t5(tmp_path: Path) -> None:
    rows = [row("full", 0, 0.90), row("lpft", 0, 0.80)]

    here, _, _ = targets(write(tmp_path, "large", rows))

    assert (here.counts, here.verdict) == (False, "(missed)")


def test_the_interval_over_seeds_is_students() -> None:
    # of 1, 2, 3: standard error 1/√3, and 4.303 of them with two degrees of freedom
    found = over_seeds(np.array([1.0, 2.0, 3.0]))

    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2 - 2.484, 2 + 2.484), abs=1e-3)
    assert np.isnan(over_seeds(np.array([1.0])).low)
