"""The extra `adapters` (peft) is needed for the recipe of that name, and for nothing else."""

import ast
import sys
from pathlib import Path

import pytest
from torch import nn

from dicomnode.errors import ModelFault
from dicomnode.learn.train import counting
from dicomnode.learn.train.adapting import Targets, inject
from dicomnode.learn.train.counting import ladder
from dicomnode.learn.train.job import open_job
from dicomnode.learn.train.ranks import Ranks
from dicomnode.learn.values import RecipeName, Split
from tests.learning_made import classifier_made, order_made, set_made


def silent(_: dict[str, object]) -> None:
    """Nobody listens."""


def test_no_module_needs_peft_to_be_imported() -> None:
    root = Path(counting.__file__).parents[2]

    found = [path.name for path in root.rglob("*.py") if "peft" in imported_at_once(path)]

    assert found == []


def imported_at_once(path: Path) -> set[str]:
    """Packages that a module imports when it is imported itself, and not within a function."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [one.name for line in body if isinstance(line, ast.Import) for one in line.names]
    names += [line.module or "" for line in body if isinstance(line, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_without_peft_auto_leaves_adapters_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = classifier_made(tmp_path)
    patients = {Split.TRAIN: 6, Split.VALIDATION: 2, Split.CALIBRATION: 2}
    order = order_made(version, set_made(tmp_path, version, patients), RecipeName.AUTO)
    job = open_job(order, tmp_path, silent, Ranks())
    monkeypatch.setattr(counting, "enough", lambda *_: True)
    assert RecipeName.ADAPTER in ladder(job)

    monkeypatch.setitem(sys.modules, "peft", None)

    assert RecipeName.ADAPTER not in ladder(job)


def test_without_peft_the_recipe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)

    with pytest.raises(ModelFault, match=r'pip install "dicomnode\[adapters\]"'):
        inject(nn.Linear(2, 2), Targets((), (), 4))
