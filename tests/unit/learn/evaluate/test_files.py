"""Evidence and judgements as files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicomnode.config.learning import GatePlan
from dicomnode.learn.evaluate.files import load_evidence, load_judgement, save_evidence, save_judgement
from dicomnode.learn.evaluate.gate import judge
from dicomnode.learn.values import Answers, CurvePoint, Estimate, Evidence
from tests.unit.learn.evaluate.evidence_made import evidence, of


def same(one: object, other: object) -> bool:
    if isinstance(one, Answers) and isinstance(other, Answers):
        return all(same(value, vars(other)[name]) for name, value in vars(one).items())
    if isinstance(one, Evidence) and isinstance(other, Evidence):
        return all(same(value, vars(other)[name]) for name, value in vars(one).items())
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and one == other


def test_evidence_comes_back_from_its_files_as_it_was(tmp_path: Path) -> None:
    made = evidence(40)
    boxes = replace(made.candidate, hits=((), ((0.9, True), (0.2, False))) * 20, lesions=(0, 2) * 20)
    made = of(
        made,
        candidate=boxes,
        local_only=made.baseline,
        retention={"2025": (made.candidate, made.in_use)},
        temporal=made.candidate.item_ids[-5:],
        curve=(CurvePoint(0.5, 20, Estimate(0.8, 0.7, 0.9, 0.95, 20)),),
        outputs=("Pneumonia",),
        warnings=("too few",),
    )
    save_evidence(tmp_path, made)

    assert same(load_evidence(tmp_path), made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence.json", "evidence.npz"]


def test_a_judgement_comes_back_from_its_file_and_any_program_can_read_it(tmp_path: Path) -> None:
    made = judge(GatePlan(), evidence(200), 1, seed=0)
    save_judgement(tmp_path, made)

    assert load_judgement(tmp_path) == made
    text = (tmp_path / "judgement.json").read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_arrays_are_kept_without_pickle(tmp_path: Path) -> None:
    save_evidence(tmp_path, evidence(20))

    with np.load(tmp_path / "evidence.npz", allow_pickle=False) as arrays:
        assert all(array.dtype != object for array in arrays.values())
