"""Probabilities, their spread, and the saliency map."""

import math
from pathlib import Path

import numpy as np
import pytest

from dicomnode.infer.answer import Model
from dicomnode.infer.uncertainty import NO_DROPOUT
from dicomnode.values import Classification, Prediction
from tests.bundles_made import asked, bundle_made, classification_toml, model_loaded

ONE = {"layer.weight": [[[[1.0]]]], "layer.bias": [0.0]}
IMAGE = np.arange(16, dtype=np.float32).reshape(1, 4, 4) / 4
"""0 to 3.75; mean 1.875."""
SIGMOID_OF_MEAN = 1 / (1 + math.exp(-1.875))


def model(folder: Path, network: str = "Mean", *, toml: str, **made) -> Model:
    made.setdefault("weights", ONE if network == "Mean" else {})
    return model_loaded(bundle_made(folder, "made", network, dicom=toml, **made))


def answer_of(prediction: Prediction) -> Classification:
    assert isinstance(prediction.answer, Classification)
    return prediction.answer


def test_the_probability_is_calibrated_by_slope_and_intercept(tmp_path: Path) -> None:
    toml = classification_toml("made", findings=["index = 0\nslope = 2.0\nintercept = -1.0\nthreshold = 0.9"])

    (score,) = answer_of(model(tmp_path, toml=toml).predict(asked(IMAGE))).scores

    assert score.probability == pytest.approx(1 / (1 + math.exp(-(2 * 1.875 - 1))))
    assert score.positive
    assert score.uncertainty is None


def test_the_threshold_itself_is_positive(tmp_path: Path) -> None:
    toml = classification_toml("made", findings=["index = 0\nthreshold = 0.5", "index = 1\nthreshold = 0.5"])
    columns = model(tmp_path, "Columns", arguments={"logits": [0.0, -0.01]}, toml=toml)

    first, second = answer_of(columns.predict(asked(IMAGE))).scores

    assert (first.positive, second.positive) == (True, False)


def test_exclusive_classes_sum_to_one(tmp_path: Path) -> None:
    findings = ["index = 2", "index = 0", "index = 1"]
    toml = classification_toml("made", activation="softmax", findings=findings)
    columns = model(tmp_path, "Columns", arguments={"logits": [0.0, math.log(2), math.log(5)]}, toml=toml)

    scores = answer_of(columns.predict(asked(IMAGE))).scores

    assert [score.index for score in scores] == [0, 1, 2]
    assert [score.probability for score in scores] == pytest.approx([5 / 8, 1 / 8, 2 / 8], abs=1e-5)


def test_probabilities_that_the_bundle_itself_gives_are_kept(tmp_path: Path) -> None:
    toml = classification_toml("made", activation="none")
    sigmoid = [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}]

    (score,) = answer_of(model(tmp_path, toml=toml, postprocessing=sigmoid).predict(asked(IMAGE))).scores

    assert score.probability == pytest.approx(SIGMOID_OF_MEAN, abs=1e-5)


def test_dropout_gives_an_uncertainty_and_leaves_the_answer_alone(tmp_path: Path) -> None:
    toml = classification_toml("made", more='[uncertainty]\nmethod = "mc_dropout"\nsamples = 8')
    dropping = model(tmp_path, arguments={"dropout": 0.5}, toml=toml)

    first, second = (dropping.predict(asked(IMAGE)) for _ in range(2))

    (score,) = answer_of(first).scores
    assert score.probability == pytest.approx(SIGMOID_OF_MEAN)
    assert score.uncertainty is not None
    assert 0 < score.uncertainty < 0.5
    assert answer_of(second).scores == answer_of(first).scores
    assert first.notes == ()


def test_without_dropout_layers_the_image_is_mirrored_instead(tmp_path: Path) -> None:
    toml = classification_toml("made", more='[uncertainty]\nmethod = "mc_dropout"')
    image = np.zeros((1, 4, 4), np.float32)
    image[0, :2] = 2.0  # (column, row) for MONAI's readers: the last axis is the row

    prediction = model(tmp_path, "Left", toml=toml).predict(asked(image))

    (score,) = answer_of(prediction).scores
    plain, mirrored = 1 / (1 + math.exp(-2)), 0.5
    assert score.probability == pytest.approx(plain)
    assert score.uncertainty == pytest.approx((plain - mirrored) / 2)
    assert prediction.notes == (NO_DROPOUT,)


def test_the_saliency_map_shows_the_bright_square_on_the_source_grid(tmp_path: Path) -> None:
    toml = classification_toml("made", more='[saliency]\nlayer = "layer"')
    resized = [{"_target_": "Resized", "keys": "image", "spatial_size": [16, 16], "mode": "area"}]
    image = np.zeros((1, 32, 64), np.float32)
    image[0, 4:12, 40:56] = 1.0

    saliency = answer_of(model(tmp_path, toml=toml, preprocessing=resized).predict(asked(image))).saliency

    assert saliency is not None
    assert saliency.shape == image.shape
    assert (float(saliency.min()), float(saliency.max())) == (0.0, 1.0)
    assert saliency[0, 5:11, 42:54].min() > 0.9
    assert saliency[0, 18:].max() == 0.0
    assert saliency[0, :, :32].max() == 0.0


def test_a_map_is_made_only_where_asked_for(tmp_path: Path) -> None:
    bundle = model(tmp_path, toml=classification_toml("made", more='[saliency]\nlayer = "layer"'))
    plain = asked(IMAGE)

    silent = bundle.predict(type(plain)(plain.voxels, plain.affine_lps, True, saliency=False, research=False))

    assert answer_of(silent).saliency is None


@pytest.mark.parametrize("layer", ["class_layers.relu", "features.norm5", "features.denseblock2"])
def test_grad_cam_works_on_a_densenet_and_leaves_its_answer_alone(tmp_path: Path, layer: str) -> None:
    toml = classification_toml("made", more=f'[saliency]\nlayer = "{layer}"')
    network = {"_target_": "DenseNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "init_features": 8,
               "growth_rate": 4, "block_config": [2, 2]}  # fmt: skip
    import torch
    from monai.networks.nets import DenseNet

    torch.manual_seed(3)
    weights = DenseNet(2, 1, 1, init_features=8, growth_rate=4, block_config=(2, 2)).state_dict()
    weights["class_layers.out.weight"].abs_()  # whatever is there speaks for the finding: the map is not empty
    version = bundle_made(tmp_path, "made", "Mean", dicom=toml, weights={k: v.numpy() for k, v in weights.items()},
                          extra={"network_def": network})  # fmt: skip
    bundle = model_loaded(version)
    image = np.random.default_rng(2).random((1, 64, 48)).astype(np.float32)

    first, second = (answer_of(bundle.predict(asked(image))) for _ in range(2))

    assert first.scores == second.scores
    assert first.saliency is not None
    assert first.saliency.shape == (1, 64, 48)
    assert first.saliency.max() == pytest.approx(1.0, abs=0.01)
