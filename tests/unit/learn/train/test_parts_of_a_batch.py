"""Of several processes each takes a part of every batch, and counts by what its loss is a mean over."""

import pytest
import torch

from dicomnode.learn.train.loop import weight_of
from dicomnode.learn.train.ranks import Ranks

NAN = float("nan")


def test_a_part_counts_by_the_weights_of_its_known_labels() -> None:
    targets, weights = torch.tensor([[1.0, NAN], [0.0, 1.0], [NAN, NAN]]), torch.tensor([0.3, 1.0, 0.7])

    assert weight_of({"targets": targets, "weight": weights}) == pytest.approx(0.3 + 1.0 + 1.0)
    assert weight_of({"targets": torch.empty(3, 0), "weight": weights}) == pytest.approx(2.0)
    assert weight_of({}) == 0.0


def test_the_parts_of_a_batch_are_the_batch() -> None:
    batch = list(range(7))

    parts = [Ranks(rank, 3).part(batch) for rank in range(3)]

    assert sorted(n for part in parts for n in part) == batch
    assert [len(part) for part in parts] == [3, 2, 2]
    assert Ranks(2, 3).part([1]) == []
