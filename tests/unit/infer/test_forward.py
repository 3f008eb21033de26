"""Running out of memory, and what is tried then."""

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.inferers import SimpleInferer, SlidingWindowInferer

from dicomnode.errors import DeviceBusy
from dicomnode.infer.faults import OutOfMemory
from dicomnode.infer.forward import device_of, is_out_of_memory, rungs
from dicomnode.values import Segmentation
from tests.bundles_made import asked, bundle_made, model_loaded

CPU, CUDA = torch.device("cpu"), torch.device("cuda:0")
WINDOWS = {"_target_": "SlidingWindowInferer", "roi_size": [64, 64, 64], "sw_batch_size": 4, "overlap": 0.25}


def bright() -> np.ndarray:
    voxels = np.zeros((40, 70, 70), np.float32)
    voxels[20, 30, 60] = 1.0
    return voxels


@pytest.mark.parametrize(
    ("fits", "notes"),
    [
        (4 * 64**3, ()),
        (64**3, ("windows at once reduced from 4 to 1 after out-of-memory",)),
        (
            32**3,
            (
                "windows at once reduced from 4 to 1 after out-of-memory",
                "window reduced from 64 × 64 × 64 to 32 × 32 × 32 after out-of-memory",
            ),
        ),
    ],
)
def test_smaller_windows_are_tried_and_noted(tmp_path: Path, fits: int, notes: tuple[str, ...]) -> None:
    model = model_loaded(bundle_made(tmp_path, "hungry", "Hungry", arguments={"voxels": fits}, inferer=WINDOWS))

    first, second = (model.predict(asked(bright())) for _ in range(2))

    assert isinstance(first.answer, Segmentation)
    assert np.argwhere(first.answer.labels).tolist() == [[20, 30, 60]]
    assert first.notes == notes
    assert second.notes == notes  # each study starts with the bundle's own windows


def test_too_little_memory_for_the_smallest_window_is_worth_another_try_later(tmp_path: Path) -> None:
    model = model_loaded(bundle_made(tmp_path, "hungry", "Hungry", arguments={"voxels": 1000}, inferer=WINDOWS))

    with pytest.raises(OutOfMemory) as caught:
        model.predict(asked(bright()))

    assert isinstance(caught.value, DeviceBusy)
    assert len(caught.value.tried) == 2


def test_the_way_down_ends_on_the_cpu_where_that_is_allowed() -> None:
    windows = SlidingWindowInferer(roi_size=(160, 96, 48), sw_batch_size=2)

    tried = list(rungs(windows, (200, 200, 100), CUDA, allow_cpu=True))

    assert [(rung.windows, rung.window, rung.device.type) for rung in tried] == [
        (None, None, "cuda"),
        (1, None, "cuda"),
        (1, None, "cuda"),
        (1, (96, 64, 32), "cuda"),
        (1, (64, 32, 32), "cuda"),
        (1, (32, 32, 32), "cuda"),
        (None, None, "cpu"),
    ]
    assert [rung.stitch_on_cpu for rung in tried] == [False, False, True, True, True, True, False]
    assert all(rung.note for rung in tried[1:])
    assert [rung.device.type for rung in rungs(windows, (200, 200, 100), CUDA, allow_cpu=False)] == ["cuda"] * 6


def test_a_window_over_a_whole_axis_shrinks_from_the_images_size() -> None:
    windows = SlidingWindowInferer(roi_size=(64, -1, 16), sw_batch_size=1)

    tried = [rung.window for rung in rungs(windows, (500, 80, 16), CPU, allow_cpu=True)]

    assert tried == [None, (32, 64, 16), (32, 32, 16)]


def test_a_network_without_windows_goes_to_the_cpu_at_once() -> None:
    assert [rung.device.type for rung in rungs(SimpleInferer(), (9, 9), CUDA, allow_cpu=True)] == ["cuda", "cpu"]


def test_the_cpus_own_words_for_no_memory_are_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)

    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("cuda"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_a_device_that_is_not_there_is_named() -> None:
    assert device_of("cuda:99", allow_cpu=True) == (CPU, "ran on the CPU: device cuda:99 is not there")
    with pytest.raises(DeviceBusy, match="cuda:99 is not there"):
        device_of("cuda:99", allow_cpu=False)
    assert device_of("cpu", allow_cpu=False) == (CPU, "")
