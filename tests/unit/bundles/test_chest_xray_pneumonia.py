"""The chest radiograph bundle on images that it was not trained on."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from dicomnode.bundles.dicom_toml import load_dicom_toml
from dicomnode.infer.classify import probability
from dicomnode.infer.domain import Domain, DomainScore, load_domain
from tests.unit.bundles.shipped import CHEST_XRAY, ROOT, network_of, parser_of, sample_rows

SAMPLES = ROOT / "tests/data/chest_xray"
ROWS = sample_rows(SAMPLES)
TOLD = load_dicom_toml(CHEST_XRAY)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return network_of(CHEST_XRAY)


@pytest.fixture(scope="module")
def prepared() -> Callable[[np.ndarray], torch.Tensor]:
    """(row, column) of any size as the network takes it, (1, 1, 224, 224)."""
    transform = parser_of(CHEST_XRAY).get_parsed_content("preprocessing")

    def prepare(pixels: np.ndarray) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Divide by zero")  # MONAI's word on a blank image
            return transform({"image": torch.from_numpy(pixels.astype(np.float32))})["image"][None]

    return prepare


@pytest.fixture(scope="module")
def domain() -> Domain:
    assert TOLD.domain.check is not None
    return load_domain(CHEST_XRAY / TOLD.domain.check)


def pixels_of(path: str) -> np.ndarray:
    return np.asarray(Image.open(SAMPLES / path).convert("L"))


def test_most_samples_are_told_right(network: torch.nn.Module, prepared: Callable[[np.ndarray], torch.Tensor]) -> None:
    (finding,) = TOLD.findings
    right = 0
    for row in ROWS:
        with torch.inference_mode():
            logit = float(network(prepared(pixels_of(row["path"])))[0, 0])
        right += (probability(finding, logit) >= finding.threshold) == (row["label"] == "1")

    assert right >= len(ROWS) - 1


def test_eight_bits_and_twelve_bits_are_prepared_alike(prepared: Callable[[np.ndarray], torch.Tensor]) -> None:
    pixels = pixels_of(ROWS[0]["path"])

    eight, twelve = prepared(pixels), prepared(pixels.astype(np.int32) * 16 + 7)

    assert torch.allclose(eight, twelve, atol=1e-5)
    assert (float(eight.min()), float(eight.max())) == (0.0, 1.0)


def test_an_image_of_any_size_is_squashed_to_that_of_the_data(prepared: Callable[[np.ndarray], torch.Tensor]) -> None:
    large = np.kron(pixels_of(ROWS[0]["path"]), np.ones((4, 3)))

    assert torch.allclose(prepared(large), prepared(pixels_of(ROWS[0]["path"])), atol=1e-4)


def test_most_samples_are_inside_the_domain(
    network: torch.nn.Module, domain: Domain, prepared: Callable[[np.ndarray], torch.Tensor]
) -> None:
    inside = [domain.check(network, prepared(pixels_of(row["path"]))).inside for row in ROWS]

    assert sum(inside) >= len(ROWS) - 1


def test_every_inverted_sample_is_outside(
    network: torch.nn.Module, domain: Domain, prepared: Callable[[np.ndarray], torch.Tensor]
) -> None:
    answers = [domain.check(network, prepared(255 - pixels_of(row["path"]).astype(np.int32))) for row in ROWS]

    assert not any(answer.inside for answer in answers)
    assert all(answer.why for answer in answers)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_image_is_outside(
    network: torch.nn.Module, domain: Domain, prepared: Callable[[np.ndarray], torch.Tensor], grey: int
) -> None:
    assert not domain.check(network, prepared(np.full((300, 200), grey))).inside


def test_an_image_upside_down_is_outside(
    network: torch.nn.Module, domain: Domain, prepared: Callable[[np.ndarray], torch.Tensor]
) -> None:
    assert not domain.check(network, prepared(pixels_of(ROWS[0]["path"])[::-1].copy())).inside


def test_noise_is_outside(
    network: torch.nn.Module, domain: Domain, prepared: Callable[[np.ndarray], torch.Tensor]
) -> None:
    noise = np.random.default_rng(1).integers(0, 4096, (256, 256))

    assert not domain.check(network, prepared(noise)).inside


def test_a_photograph_is_outside(
    network: torch.nn.Module, domain: Domain, prepared: Callable[[np.ndarray], torch.Tensor]
) -> None:
    datasets = pytest.importorskip("sklearn.datasets")

    answers: list[DomainScore] = [
        domain.check(network, prepared(photo.mean(2))) for photo in datasets.load_sample_images().images
    ]

    assert not any(answer.inside for answer in answers)
