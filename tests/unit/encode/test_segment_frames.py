"""The frames of a SEG hold each segment's voxels, bit by bit, and no empty slice."""

import numpy as np
import pytest

from dicomnode.encode.regions import regions_of
from dicomnode.encode.segment_frames import occupied, packed
from dicomnode.encode.tracking import Structure, Tracking
from dicomnode.values import Volume
from tests.phantom import uid
from tests.unit.encode.examples import BACK, FRONT

STRUCTURES = [Structure(segment, Tracking(segment.label, uid(segment.label))) for segment in (FRONT, BACK)]


def on_grid(labels: np.ndarray) -> Volume:
    return Volume(np.zeros(labels.shape, np.float32), np.eye(4), (), uid("s"), uid("f"), has_geometry=True)


@pytest.mark.parametrize("shape", [(11, 5, 7), (9, 3, 3), (4, 8, 8), (1, 1, 1)])
def test_every_bit_is_packed_whatever_the_size_of_a_frame(shape: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(1).integers(1, 3, shape).astype(np.uint8)
    regions = regions_of(labels, on_grid(labels), STRUCTURES).found

    frames = occupied(labels, regions)
    bits = np.unpackbits(np.frombuffer(packed(labels, frames), np.uint8), bitorder="little")

    masks = np.stack([labels[f.slice] == f.region.structure.segment.index for f in frames])
    assert len(packed(labels, frames)) % 2 == 0
    assert (bits[: masks.size].reshape(masks.shape) == masks).all()
    assert not bits[masks.size :].any()


def test_a_slice_without_a_segment_has_no_frame_of_it() -> None:
    labels = np.zeros((6, 4, 4), np.uint8)
    labels[1:3, 1, 1], labels[4, 2, 2] = 1, 2
    regions = regions_of(labels, on_grid(labels), STRUCTURES).found

    assert [(frame.region.number, frame.slice) for frame in occupied(labels, regions)] == [(1, 1), (1, 2), (2, 4)]
