"""Versions of one base share its process: another one costs a swap of adapters, not a start."""

import itertools
import json
import shutil
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import structlog
import torch
from torch import Tensor

from dicomnode.bundles.approval import version_of
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.errors import ModelFault
from dicomnode.infer.predict import Predictor
from dicomnode.learn.adapters.file import Adapter, write_adapter
from dicomnode.values import Classification, Header, ModelVersion, Volume
from tests.bundles_made import bundle_made, classification_toml, model_loaded

WEIGHTS = {"layer.weight": [[[[2.0]]]], "layer.bias": [1.0]}
IMAGE = Volume(np.full((1, 4, 4), 3.0, np.float32), np.eye(4), (), "1.2", None, False)
"""Of the base the logit is 2 · 3 + 1 = 7."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelVersion:
    folder = tmp_path_factory.mktemp("models") / "base"
    return bundle_made(folder, "mean", "Mean", weights=WEIGHTS, dicom=classification_toml("mean"))


@pytest.fixture(scope="module")
def predictor(base: ModelVersion) -> Iterator[Predictor]:
    """With the base in its process."""
    with Predictor(Infer(threads=1)) as predictor:
        assert logit(predictor, base) == pytest.approx(7.0, abs=1e-4)
        yield predictor


NUMBERS = itertools.count(1)


def version(
    base: ModelVersion, tensors: Mapping[str, Tensor] | None = None, *, toml: str = "", base_is: str = ""
) -> ModelVersion:
    """A version as it is made on site: the base's files, its own adapter, dicom.toml and number."""
    number = next(NUMBERS)
    folder = base.folder.parents[1] / f"made {number}" / "mean"
    shutil.copytree(base.folder, folder)
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": f"1.2.3+learned.{number}"}))
    (folder / "dicom.toml").write_text(toml or classification_toml("mean"))
    if tensors:
        told = {"lora_scale/layer.weight": "0.5"}
        digest = base_is or model_loaded(base).bundle.swap.base
        write_adapter(folder / "models" / "adapter.safetensors", Adapter(digest, tensors, told))
    return version_of(folder)


def logit(predictor: Predictor, model: ModelVersion) -> float:
    answer = predictor.predict(model, IMAGE, Header({}), ModelSetting()).answer
    assert isinstance(answer, Classification)
    assert answer.scores[0].probability is not None
    return float(torch.logit(torch.tensor(answer.scores[0].probability, dtype=torch.float64)))


def pid(predictor: Predictor) -> int:
    found = predictor._loaded["mean"].worker.pid
    assert found is not None
    return found


LORA = {"lora_a/layer.weight": torch.full((1, 1, 1, 1), 2.0), "lora_b/layer.weight": torch.full((1, 1, 1, 1), -1.0)}
SHIFT = {"set/layer.bias": torch.tensor([-4.0])}


def test_versions_of_one_base_are_swapped_in_one_process_and_the_base_comes_back_exactly(
    base: ModelVersion, predictor: Predictor
) -> None:
    lora, shifted = version(base, LORA), version(base, SHIFT)
    colder = version(base, toml=classification_toml("mean", findings=("index = 0\nslope = 0.5",)))
    first = logit(predictor, base)
    process = pid(predictor)

    with structlog.testing.capture_logs() as said:
        found = {m.digest: logit(predictor, m) for m in (lora, shifted, colder, base, shifted, lora)}

    expected = {lora.digest: 4.0, shifted.digest: 2.0, colder.digest: 3.5, base.digest: 7.0}
    assert found == pytest.approx(expected, abs=1e-4)
    assert logit(predictor, base) == first
    assert pid(predictor) == process
    swaps = [line["seconds"] for line in said if line["event"] == "model.swapped"]
    print(f"hot swap: at most {max(swaps):.3f} s of {len(swaps)}")
    assert len(swaps) == 6


def test_a_version_is_loaded_with_its_adapter_at_once(base: ModelVersion) -> None:
    loaded = model_loaded(version(base, LORA)).bundle

    with torch.no_grad():
        assert float(loaded.network(torch.full((1, 1, 4, 4), 3.0))) == pytest.approx(4.0)
    loaded.swap.apply(None)
    assert loaded.swap.is_base()


def test_a_version_with_other_weights_has_a_process_beside_the_first(base: ModelVersion, predictor: Predictor) -> None:
    full, small = version(base), version(base, SHIFT)
    torch.save(
        {"layer.weight": torch.tensor([[[[1.0]]]]), "layer.bias": torch.tensor([0.0])}, full.folder / "models/model.pt"
    )
    full = version_of(full.folder)
    logit(predictor, base)
    process = pid(predictor)

    assert logit(predictor, full) == pytest.approx(3.0, abs=1e-4)
    other = pid(predictor)
    assert logit(predictor, small) == pytest.approx(2.0, abs=1e-4)
    assert (pid(predictor), logit(predictor, full), pid(predictor)) == (process, pytest.approx(3.0, abs=1e-4), other)
    assert process != other


def test_an_adapter_of_another_base_never_answers(base: ModelVersion, predictor: Predictor) -> None:
    foreign = version(base, SHIFT, base_is="ab" * 32)

    with pytest.raises(ModelFault, match="the adapter is for the base abababababab"):
        logit(predictor, foreign)

    assert logit(predictor, base) == pytest.approx(7.0, abs=1e-4)


def test_a_version_whose_files_were_changed_is_not_swapped_in(base: ModelVersion, predictor: Predictor) -> None:
    changed = version(base, SHIFT)
    write_adapter(changed.folder / "models" / "adapter.safetensors", Adapter("ab" * 32, {}))
    process = pid(predictor)

    with pytest.raises(ModelFault, match="approved is"):
        logit(predictor, changed)

    assert (logit(predictor, base), pid(predictor)) == (pytest.approx(7.0, abs=1e-4), process)
