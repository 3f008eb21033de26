"""Which recipe, with which learning rate: by inner cross-validation, the smaller of two that are as good."""

from pathlib import Path

import pytest

from dicomnode.learn.train.choose import smallest_of_the_best
from dicomnode.learn.train.fit import train
from dicomnode.learn.train.folds import folds
from dicomnode.learn.train.job import open_job
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.train.rates import steepest
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, order_made, set_made

PATIENTS = {Split.TRAIN: 36, Split.VALIDATION: 14, Split.CALIBRATION: 10, Split.TEST: 10}
HEAD, NORM, LPFT = RecipeName.HEAD, RecipeName.NORM, RecipeName.LPFT


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


@pytest.mark.parametrize(
    ("merits", "expected"),
    [
        ({HEAD: [0.80, 0.81, 0.79], NORM: [0.90, 0.91, 0.89]}, NORM),
        ({HEAD: [0.896, 0.897, 0.895], NORM: [0.90, 0.90, 0.90]}, HEAD),
        ({HEAD: [0.70, 0.95, 0.90], NORM: [0.99, 0.85, 0.90], LPFT: [0.5, 0.5, 0.5]}, HEAD),
    ],
    ids=["the best", "a tie within 0.005", "a tie within one standard error"],
)
def test_of_recipes_that_are_as_good_the_smallest_change_is_taken(
    merits: dict[RecipeName, list[float]], expected: RecipeName
) -> None:
    assert smallest_of_the_best(merits) is expected


def test_auto_takes_what_the_count_allows_and_finds_the_same_again(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, PATIENTS), RecipeName.AUTO, epochs=6, trials=2)

    told = train(order, tmp_path / "job", silent)

    assert told["recipe"] == "head"
    assert list(told["cv"]) == ["head"], "60 patients are too few for anything larger"  # type: ignore[call-overload]
    assert len(told["trials"]) == 2  # type: ignore[arg-type]
    assert all(1e-3 <= trial["learning_rate"] <= 1e-2 for trial in told["trials"])  # type: ignore[attr-defined]
    (tmp_path / "job" / "adapter.safetensors").unlink()
    again = train(order, tmp_path / "job", silent)
    assert [told[name] for name in ("cv", "trials", "history")] == [again[name] for name in ("cv", "trials", "history")]


def test_no_patient_is_in_two_parts_of_a_fold_and_no_test_patient_in_any(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    order = order_made(version, set_made(tmp_path, version, PATIENTS), RecipeName.AUTO)
    job = open_job(order, tmp_path, silent, Ranks())

    found = folds(job)

    held_out = [{item.patient for item in fold.held_out} for fold in found]
    assert set().union(*held_out) == job.training.patients(Split.TRAIN, Split.VALIDATION)
    assert sum(map(len, held_out)) == 50
    for fold in found:
        parts = [{item.patient for item in part} for part in (fold.train, fold.stop, fold.held_out)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 50


def test_a_larger_share_of_the_patients_holds_every_patient_of_a_smaller_one(tmp_path: Path) -> None:
    version = classifier_made(tmp_path)
    manifest = set_made(tmp_path, version, PATIENTS)
    orders = [order_made(version, manifest, HEAD, share=share) for share in (0.25, 0.5, 1.0)]
    jobs = [open_job(order, tmp_path, silent, Ranks()) for order in orders]

    quarter, half, whole = ({item.patient for item in job.train} for job in jobs)
    assert (len(quarter), len(half), len(whole)) == (9, 18, 36)
    assert quarter < half < whole


def test_the_range_test_takes_the_rate_at_which_the_loss_falls_fastest() -> None:
    assert steepest([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], [1.0, 1.0, 0.2, 0.1, 5.0]) == pytest.approx(1e-3)
    assert steepest([1e-5, 1e-1], [1.0, float("nan")]) == pytest.approx(1e-3)
