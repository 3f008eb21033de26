"""The hippocampus bundle on cases that it was not trained on."""

from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from tests.unit.bundles.shipped import HIPPOCAMPUS, ROOT, network_of, parser_of, sample_rows

SAMPLES = ROOT / "tests/data/hippocampus"
ROWS = sample_rows(SAMPLES)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return network_of(HIPPOCAMPUS)


def array_of(path: str) -> np.ndarray:
    return np.asarray(nib.load(SAMPLES / path).dataobj)  # type: ignore[attr-defined]


def segmented(network: torch.nn.Module, image: MetaTensor) -> np.ndarray:
    """Labels on the image's own grid, as the bundle's own parts make them."""
    parser: ConfigParser = parser_of(HIPPOCAMPUS)
    data: dict[str, Any] = {"image": image}
    data["image"] = image = parser.get_parsed_content("preprocessing")(data)["image"]
    with torch.inference_mode():
        output = parser.get_parsed_content("inferer")(image[None].as_tensor(), network)[0]
    data["pred"] = MetaTensor(output, meta=image.meta, applied_operations=image.applied_operations)
    return parser.get_parsed_content("postprocessing")(data)["pred"][0].numpy()


def image_of(array: np.ndarray, affine: np.ndarray) -> MetaTensor:
    image = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return MetaTensor(image, affine=torch.from_numpy(affine), meta={"original_channel_dim": "no_channel"})


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over the anterior and the posterior part."""
    both = [2 * ((one == n) & (other == n)).sum() / ((one == n).sum() + (other == n).sum()) for n in (1, 2)]
    return float(np.mean(both))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["image"].split("/")[1].split(".")[0])
def test_a_case_it_never_saw_is_outlined_as_a_person_did(network: torch.nn.Module, row: dict[str, str]) -> None:
    found = segmented(network, image_of(array_of(row["image"]), np.eye(4)))

    assert dice(found, array_of(row["label"])) >= 0.80


def test_a_reversed_grid_gives_the_same_mask_reversed(network: torch.nn.Module) -> None:
    array, affine = array_of(ROWS[0]["image"]), np.eye(4)
    turned = affine @ np.diag([-1.0, -1.0, 1.0, 1.0])
    turned[:2, 3] = array.shape[0] - 1, array.shape[1] - 1

    straight = segmented(network, image_of(array, affine))
    reverse = segmented(network, image_of(array[::-1, ::-1], turned))

    assert np.array_equal(straight, reverse[::-1, ::-1])


def test_slices_of_2_mm_are_read_too_and_the_mask_is_on_their_grid(network: torch.nn.Module) -> None:
    array, label = array_of(ROWS[0]["image"]), array_of(ROWS[0]["label"])
    slices = array.shape[2] // 2
    thick = array[:, :, : slices * 2].reshape(*array.shape[:2], slices, 2).mean(3)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[2, 3] = 0.5

    found = segmented(network, image_of(thick, affine))

    assert found.shape == thick.shape
    assert dice(found, label[:, :, : slices * 2 : 2]) >= 0.75


def test_intensities_may_be_of_any_scale(network: torch.nn.Module) -> None:
    array = array_of(ROWS[0]["image"]).astype(np.float32)

    one, other = (
        segmented(network, image_of(array * scale + shift, np.eye(4))) for scale, shift in ((1, 0), (40, 900))
    )

    assert dice(one, other) >= 0.99
