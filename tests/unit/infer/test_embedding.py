"""What an image looks like, in a few numbers: the same for the same image, another for an inverted one."""

import pytest
import torch

from dicomnode.infer.embedding import embedding
from dicomnode.infer.protocol import prediction_message, prediction_of
from dicomnode.values import Detection, DomainAnswer, Prediction


@pytest.mark.parametrize("shape", [(1, 40, 30), (3, 16, 16), (1, 24, 20, 12)])
def test_an_image_has_35_numbers_and_those_that_the_domain_check_saw(shape: tuple[int, ...]) -> None:
    image = torch.linspace(0, 1, torch.Size(shape).numel()).reshape(shape) ** 2

    found = embedding(image, (0.5, -0.5))

    assert len(found) == 37
    assert found[-2:] == (0.5, -0.5)
    assert found == embedding(image, (0.5, -0.5))
    assert found[:19] != embedding(1 - image, ())[:19]


def test_numbers_that_are_none_do_no_harm() -> None:
    assert all(abs(number) < 1e6 for number in embedding(torch.full((1, 8, 8), float("nan")), ()))


def test_it_travels_with_the_prediction() -> None:
    prediction = Prediction(Detection(()), DomainAnswer(inside=True), "cpu", embedding=(1.0, 2.0))

    assert prediction_of(prediction_message(prediction)).embedding == (1.0, 2.0)
