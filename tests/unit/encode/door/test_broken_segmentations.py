"""Each thing that can be wrong with a segmentation is caught."""

from copy import deepcopy

import pytest
from pydicom import Dataset

from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example


def frame(seg: Dataset) -> Dataset:
    return seg.PerFrameFunctionalGroupsSequence[0]


def shift(seg: Dataset) -> None:
    position = frame(seg).PlanePositionSequence[0]
    position.ImagePositionPatient = [float(position.ImagePositionPatient[0]) + 1.0, 0, 1]


def flip_a_bit(seg: Dataset) -> None:
    seg.PixelData = bytes([seg.PixelData[0] ^ 1]) + seg.PixelData[1:]


SEG_FAULTS: dict[str, Change] = {
    "a frame too few": (lambda d: d.PerFrameFunctionalGroupsSequence.pop(), "functional groups for"),
    "pixels cut off": (lambda d: setattr(d, "PixelData", d.PixelData[:-2]), "pixel data"),
    "a voxel more": (flip_a_bit, "voxels make"),
    "an unknown segment": (
        lambda d: setattr(frame(d).SegmentIdentificationSequence[0], "ReferencedSegmentNumber", 9),
        "segment 9, which is not described",
    ),
    "no property type": (
        lambda d: delattr(d.SegmentSequence[0], "SegmentedPropertyTypeCodeSequence"),
        "SegmentedPropertyTypeCodeSequence is missing",
    ),
    "no tracking": (lambda d: delattr(d.SegmentSequence[0], "TrackingUID"), "TrackingUID is missing"),
    "a side": (
        lambda d: setattr(
            d.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0],
            "SegmentedPropertyTypeModifierCodeSequence",
            deepcopy(d.SegmentSequence[0].SegmentedPropertyTypeCodeSequence),
        ),
        "none is configured",
    ),
    "laterality": (lambda d: setattr(d, "Laterality", "L"), "writes a side"),
    "another frame of reference": (lambda d: setattr(d, "FrameOfReferenceUID", uid("x")), "frame of reference"),
    "shifted by a voxel": (shift, "position"),
    "turned": (
        lambda d: setattr(
            d.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0],
            "ImageOrientationPatient",
            [-1, 0, 0, 0, 1, 0],
        ),
        "orientation",
    ),
    "another spacing": (
        lambda d: setattr(d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing", ["1.1", "1.1"]),
        "pixel spacing",
    ),
    "another matrix": (lambda d: (setattr(d, "Rows", 8), setattr(d, "Columns", 6)), "matrix"),
    "no source image": (lambda d: delattr(frame(d), "DerivationImageSequence"), "names no source image"),
    "another class": (lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.7"), "SOP class"),
}


@pytest.mark.parametrize("name", SEG_FAULTS)
def test_a_broken_segmentation_is_caught(name: str, example: Example) -> None:
    change, said = SEG_FAULTS[name]

    assert said in faults(example, Role.SEG, change)
