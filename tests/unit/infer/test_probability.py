"""The probability of a segmentation, in every voxel of the source grid, where it is asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomnode.infer.protocol import ask_of, prediction_message, prediction_of
from dicomnode.values import Segmentation
from tests.bundles_made import asked, bundle_made, model_loaded, regridded, segmentation_toml, zoo_postprocessing

OBLIQUE = np.array([[0.8, -0.36, 0.48, -31.5], [0.6, 0.48, -0.64, 12.25], [0.0, 0.8, 0.6, 100.0], [0, 0, 0, 1.0]])
"""Columns of it: direction of columns, rows and slices (LPS), origin."""
THREE_QUARTERS = 0.5 + np.log(3) / 1000
"""What `Threshold` gives a probability of 3/4."""


def voxels() -> NDArray[np.float32]:
    image = np.zeros((9, 11, 13), np.float32)
    image[2, 7, 4], image[5, 1, 9] = 1.0, THREE_QUARTERS
    return image


def probability_by(folder: Path, **bundle: object) -> NDArray[np.float16] | None:
    version = bundle_made(folder, "model", "Threshold", preprocessing=regridded((1.0, 1.0, 1.0)), **bundle)
    answer = model_loaded(version).predict(replace(asked(voxels(), OBLIQUE), probability=True)).answer
    assert isinstance(answer, Segmentation)
    return answer.probability


@pytest.mark.parametrize("postprocessing", [None, zoo_postprocessing()], ids=["bare", "zoo"])
def test_a_probability_comes_back_at_its_voxel(postprocessing: list[object] | None, tmp_path: Path) -> None:
    found = probability_by(tmp_path, postprocessing=postprocessing)

    assert found is not None
    assert (found.dtype, found.shape) == (np.float16, (9, 11, 13))
    assert np.argwhere(found > 0.9).tolist() == [[2, 7, 4]]
    assert found[5, 1, 9] == pytest.approx(0.75, abs=2e-3)
    assert np.argwhere(found > 0.05).tolist() == [[2, 7, 4], [5, 1, 9]]


def test_the_probability_of_a_sigmoid_is_that_of_its_likeliest_structure(tmp_path: Path) -> None:
    found = probability_by(tmp_path, dicom=segmentation_toml("model", activation="sigmoid"))

    assert found is not None
    assert found[2, 7, 4] == 1.0
    assert found[5, 1, 9] == pytest.approx(0.75, abs=2e-3)


def test_an_output_whose_meaning_nobody_tells_has_no_probability(tmp_path: Path) -> None:
    assert probability_by(tmp_path, dicom=segmentation_toml("model", activation="none")) is None


def test_no_probability_is_made_unless_asked_for(tmp_path: Path) -> None:
    model = model_loaded(bundle_made(tmp_path, "model", "Threshold"))

    answer = model.predict(asked(voxels())).answer

    assert isinstance(answer, Segmentation)
    assert answer.probability is None


def test_the_question_and_the_answer_travel_with_the_probability(tmp_path: Path) -> None:
    ask = ask_of(replace(asked(voxels()), probability=True).message())

    taken = prediction_of(prediction_message(model_loaded(bundle_made(tmp_path, "m", "Threshold")).predict(ask)))

    assert isinstance(taken.answer, Segmentation)
    assert taken.answer.probability is not None
    assert taken.answer.probability[2, 7, 4] == 1.0
