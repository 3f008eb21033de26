"""MONAI bundles as they come, loaded without their files in and out."""

import json
import py_compile
from pathlib import Path

import numpy as np
import pytest
import torch

from dicomnode.bundles.approval import version_of
from dicomnode.errors import ModelFault
from dicomnode.values import Classification, Segmentation
from tests.bundles_made import (
    LOAD,
    asked,
    bundle_made,
    classification_toml,
    model_loaded,
    regridded,
    segmentation_toml,
    zoo_postprocessing,
)

WEIGHTS = {"layer.weight": [[[[1.0]]]], "layer.bias": [0.0]}


def test_a_yaml_bundle_runs_as_a_json_one(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "plain", "Threshold", postprocessing=zoo_postprocessing()).folder
    config = folder / "configs" / "inference.json"
    config.rename(config.with_suffix(".yaml"))  # JSON is YAML

    answer = model_loaded(version_of(folder)).predict(asked(np.ones((2, 3, 4)))).answer

    assert isinstance(answer, Segmentation)
    assert answer.labels.all()
    assert not (folder / "eval").exists()


def test_a_bundle_may_name_its_image_and_list_its_transforms_elsewhere_in_its_configuration(tmp_path: Path) -> None:
    steps = [step | {"keys": "@image_key"} for step in (*LOAD, *regridded((2.0, 2.0, 2.0)))]
    referred = {
        "image_key": "picture",
        "steps": steps,
        "preprocessing": {"_target_": "Compose", "transforms": "$@steps "},
    }
    after = [step | ({"orig_keys": "@image_key"} if "orig_keys" in step else {}) for step in zoo_postprocessing()]
    version = bundle_made(tmp_path, "plain", "Threshold", postprocessing=after, extra=referred)

    answer = model_loaded(version).predict(asked(np.ones((6, 7, 8)))).answer

    assert isinstance(answer, Segmentation)
    assert answer.labels.shape == (6, 7, 8)
    assert answer.labels.all()


def test_weights_may_lie_below_a_key(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "mean", "Mean", dicom=classification_toml("mean")).folder
    state = {name: torch.tensor(value) for name, value in WEIGHTS.items()}
    torch.save({"epoch": 3, "state_dict": state}, folder / "models" / "model.pt")

    answer = model_loaded(version_of(folder)).predict(asked(np.zeros((1, 2, 2)))).answer

    assert isinstance(answer, Classification)
    assert answer.scores[0].probability == 0.5


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "mean", "Mean", dicom=classification_toml("mean")).folder
    torch.save(Path, folder / "models" / "model.pt")  # a class, which a pickle would import

    with pytest.raises(ModelFault, match="not plain weights"):
        model_loaded(version_of(folder))


def test_a_bundle_without_weights_is_named(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "plain", "Threshold").folder
    (folder / "models" / "model.pt").unlink()

    with pytest.raises(ModelFault, match=r"bundle plain has no models/model\.pt"):
        model_loaded(version_of(folder))


def test_a_bundle_without_an_inference_config_is_named(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "plain", "Threshold").folder
    (folder / "configs" / "inference.json").unlink()

    with pytest.raises(ModelFault, match="has none of"):
        model_loaded(version_of(folder))


def test_pretrained_weights_are_not_fetched(tmp_path: Path) -> None:
    network = {"_target_": "scripts.networks.Columns", "logits": [0.0, 1.0], "pretrained": True}
    toml = classification_toml("plain", findings=["index = 1"])
    folder = bundle_made(tmp_path, "plain", "Columns", dicom=toml, extra={"network_def": network}).folder

    code = (folder / "scripts" / "networks.py").read_text()
    fetching = 'def __init__(self, logits, pretrained):\n        assert not pretrained, "fetched"'
    (folder / "scripts" / "networks.py").write_text(code.replace("def __init__(self, logits):", fetching))

    assert model_loaded(version_of(folder)).bundle.folder == folder


def test_a_grey_image_is_repeated_for_a_network_of_three_channels(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "mean", "Left", dicom=classification_toml("mean")).folder
    metadata = {"version": "1", "network_data_format": {"inputs": {"image": {"num_channels": 3}}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    model = model_loaded(version_of(folder))
    seen: list[tuple[int, ...]] = []
    model.bundle.network.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))

    model.predict(asked(np.ones((1, 4, 6))))

    assert seen == [(1, 3, 6, 4)]


def test_what_a_bundle_brings_for_its_own_runs_is_left_alone(tmp_path: Path) -> None:
    extra = {
        "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in glob.glob('/nothing/*')]"},
        "dataloader": {"_target_": "no.such.DataLoader", "dataset": "@dataset"},
        "handlers": [{"_target_": "CheckpointLoader", "load_path": "/nothing/model.pt"}],
        "evaluator": {"_target_": "SupervisedEvaluator", "network": "@network", "val_handlers": "@handlers"},
        "run": ["$@evaluator.run()"],
    }
    model = bundle_made(tmp_path, "zoo", "Threshold", postprocessing=zoo_postprocessing(), extra=extra)

    answer = model_loaded(model).predict(asked(np.ones((2, 3, 4)))).answer

    assert isinstance(answer, Segmentation)
    assert answer.labels.all()


@pytest.mark.parametrize("check", ["models/domain.npz", "../domain.npz"])
def test_a_domain_check_must_be_a_file_of_the_bundle(tmp_path: Path, check: str) -> None:
    (tmp_path / "domain.npz").write_bytes(b"")
    toml = classification_toml("left", more=f'[domain]\ncheck = "{check}"')

    with pytest.raises(ModelFault, match="holds no such file"):
        model_loaded(bundle_made(tmp_path, "left", "Left", dicom=toml))


@pytest.mark.parametrize("method", ["flips", "mc_dropout"])
def test_a_segmentations_uncertainty_is_the_entropy_inside_each_label(tmp_path: Path, method: str) -> None:
    more = f'[uncertainty]\nmethod = "{method}"\naxes = [0]'
    toml = segmentation_toml("edge", more=more)
    model = model_loaded(bundle_made(tmp_path, "edge", "Threshold", arguments={"level": 0.999}, dicom=toml))
    voxels = np.zeros((3, 4, 5), np.float32)
    voxels[1] = 1.0  # logit 1: probability sigmoid(1)

    answer = model.predict(asked(voxels)).answer

    p = 1 / (1 + np.exp(-1.0))
    assert isinstance(answer, Segmentation)
    assert answer.uncertainty == {1: pytest.approx(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), abs=1e-3)}


def test_a_planted_cache_of_a_script_is_not_read(tmp_path: Path) -> None:
    folder = bundle_made(tmp_path, "plain", "Threshold").folder
    script = folder / "scripts" / "networks.py"
    original = script.read_text()
    script.write_text("raise SystemExit('the cache was read')")
    planted = py_compile.compile(str(script), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    script.write_text(original)

    assert planted is not None
    assert Path(planted).is_relative_to(folder)
    assert model_loaded(version_of(folder)).bundle.folder == folder
