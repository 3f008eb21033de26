"""On a real accelerator: mixed precision, real out-of-memory, the CPU as the last way."""

from pathlib import Path

import numpy as np
import pytest

from dicomnode.bundles.approval import version_of
from dicomnode.config.tables import Infer, ModelSetting
from dicomnode.infer.predict import Predictor
from dicomnode.values import Header, Prediction, Segmentation, Volume
from tests.bundles_made import bundle_made

pytestmark = pytest.mark.gpu
HIPPOCAMPUS = Path(__file__).parents[2] / "models" / "hippocampus_mr"
WINDOWS = {"_target_": "SlidingWindowInferer", "roi_size": [64, 64, 64], "sw_batch_size": 4, "overlap": 0.25}


def volume(shape: tuple[int, int, int]) -> Volume:
    voxels = np.random.default_rng(5).random(shape).astype(np.float32) * 0.4
    voxels[20, 30, 30] = 1.0
    return Volume(voxels, np.eye(4), (), "1.2.3", None, True)


def predicted(model, asked: Volume, infer: Infer, device: str) -> Prediction:
    with Predictor(infer) as predictor:
        return predictor.predict(model, asked, Header({}), ModelSetting(device=device))


def labels_of(prediction: Prediction) -> np.ndarray:
    assert isinstance(prediction.answer, Segmentation)
    return prediction.answer.labels


def test_the_accelerator_is_taken_by_itself_and_agrees_with_the_cpu() -> None:
    model, asked = version_of(HIPPOCAMPUS), volume((35, 51, 35))

    fast, slow = (predicted(model, asked, Infer(), device) for device in ("auto", "cpu"))

    assert (fast.device, slow.device) == ("cuda:0", "cpu")
    assert (labels_of(fast) != labels_of(slow)).mean() < 0.01


@pytest.mark.parametrize(
    ("fits", "device", "last"),
    [
        (64**3, "cuda:0", "windows at once reduced from 4 to 1 after out-of-memory"),
        (32**3, "cuda:0", "window reduced from 64 × 64 × 64 to 32 × 32 × 32 after out-of-memory"),
        (100, "cpu", "ran on the CPU after out-of-memory on the accelerator"),
    ],
)
def test_real_out_of_memory_is_survived_and_noted(tmp_path: Path, fits: int, device: str, last: str) -> None:
    model = bundle_made(tmp_path, "greedy", "Greedy", arguments={"voxels": fits}, inferer=WINDOWS)

    prediction = predicted(model, volume((40, 70, 70)), Infer(), "auto")

    assert prediction.device == device
    assert prediction.notes[-1] == last
    assert np.argwhere(labels_of(prediction)).tolist() == [[20, 30, 30]]
