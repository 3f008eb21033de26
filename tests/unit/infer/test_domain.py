"""The learnt domain check, on a domain made up here: images of one grey with a little noise."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dicomnode.infer.domain import Domain, Measure, features_of, grey_levels, load_domain, texture, thumbnail

SIDE = 48


def image(seed: int, grey: float = 0.5) -> torch.Tensor:
    """(1, 1, row, column) around one grey."""
    noise = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return (grey + noise * 0.05).clamp(0, 1)


def grey_domain(limit: float = 1.0) -> Domain:
    """Median distance 1 by construction: 19 grey levels, each with a standard deviation of about 0.05."""
    measure = Measure("grey_levels", torch.full((19,), 0.5), torch.eye(19) * 5, centre=0.0, spread=1.0)
    return Domain((measure,), limit)


def test_an_image_like_the_others_is_inside_and_no_reason_is_given() -> None:
    answer = grey_domain().score(image(1), {})

    assert answer.inside
    assert answer.why == ""


def test_an_image_of_other_grey_levels_is_outside_and_says_so() -> None:
    answer = grey_domain().score(image(1, grey=0.0), {})

    assert not answer.inside
    assert "grey levels" in answer.why


def test_the_score_is_the_log_distance_in_units_of_the_spread() -> None:
    measure = Measure("grey_levels", torch.zeros(2), torch.eye(2), centre=0.0, spread=2.0)

    assert measure.excess(torch.tensor([3.0, 4.0])) == pytest.approx(np.log(5) / 2, abs=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_outside(value: float) -> None:
    broken = image(1)
    broken[0, 0, 3, 3] = value

    assert not grey_domain(limit=1e9).score(broken, {}).inside


def test_the_vectors_have_the_lengths_that_are_promised() -> None:
    images = torch.rand(2, 1, 224, 224)

    assert thumbnail(images).shape == (2, 576)
    assert grey_levels(images).shape == (2, 19)
    assert texture(images).shape == (2, 64)


def test_features_are_the_mean_of_each_channel_and_leave_no_hook_behind() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.ReLU())

    found = features_of(network, torch.ones(2, 1, 8, 8), ("0",))

    assert found["0"].shape == (2, 3)
    assert torch.allclose(found["0"], network[0](torch.ones(2, 1, 8, 8)).mean((2, 3)), atol=1e-6)
    assert not network[0]._forward_hooks


def test_a_domain_is_read_from_plain_arrays(tmp_path: Path) -> None:
    measure = grey_domain().measures[0]
    np.savez(
        tmp_path / "domain.npz", names=np.array(["grey_levels"]), limit=np.array(1.0), centres=np.array([0.0]),
        spreads=np.array([1.0]), mean_0=measure.mean.numpy(), whitening_0=measure.whitening.numpy(),
    )  # fmt: skip

    read = load_domain(tmp_path / "domain.npz")

    assert read.score(image(1), {}) == grey_domain().score(image(1), {})


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "domain.npz", names=np.array([{"a": 1}], dtype=object))

    with pytest.raises(ValueError, match="allow_pickle"):
        load_domain(tmp_path / "domain.npz")
