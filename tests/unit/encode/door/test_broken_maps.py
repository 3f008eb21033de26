"""Each thing that can be wrong with a Parametric Map is caught."""

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.values import Role
from tests.phantom import dx_image, uid
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example
from tests.unit.encode.placed import door_says, placed, projection

PMAP = (Role.SR, Role.PMAP)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return placed("oblique MR", tmp_path_factory.mktemp("map"), PMAP)


def shared(dataset: Dataset) -> Dataset:
    return dataset.SharedFunctionalGroupsSequence[0]


def mapping(dataset: Dataset) -> Dataset:
    return shared(dataset).RealWorldValueMappingSequence[0]


def source(dataset: Dataset) -> Dataset:
    return dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]


def shift(dataset: Dataset) -> None:
    position = dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    position.ImagePositionPatient = [float(position.ImagePositionPatient[0]) + 1.0, 0, 1]


def put(dataset: Dataset, value: float) -> None:
    values = np.frombuffer(dataset.FloatPixelData, "<f4").copy()
    values[0] = value
    dataset.FloatPixelData = values.tobytes()


MAP_FAULTS: dict[str, Change] = {
    "a frame too few": (lambda d: d.PerFrameFunctionalGroupsSequence.pop(), "functional groups for"),
    "pixels cut off": (lambda d: setattr(d, "FloatPixelData", d.FloatPixelData[:-4]), "length of its frames"),
    "no number": (lambda d: put(d, np.nan), "outside 0..1"),
    "more than certain": (lambda d: put(d, 1.5), "outside 0..1"),
    "frames the wrong way round": (
        lambda d: d.PerFrameFunctionalGroupsSequence.reverse(),
        "do not follow one another",
    ),
    "shifted": (shift, "position"),
    "turned": (
        lambda d: setattr(shared(d).PlaneOrientationSequence[0], "ImageOrientationPatient", [1, 0, 0, 0, 1, 0]),
        "orientation",
    ),
    "another spacing": (
        lambda d: setattr(shared(d).PixelMeasuresSequence[0], "PixelSpacing", ["1.1", "1.1"]),
        "pixel spacing",
    ),
    "another frame of reference": (lambda d: setattr(d, "FrameOfReferenceUID", uid("x")), "frame of reference"),
    "no source": (lambda d: delattr(source(d), "ReferencedSOPInstanceUID"), "names no source image"),
    "a source elsewhere": (
        lambda d: setattr(source(d), "ReferencedSOPInstanceUID", uid("elsewhere")),
        "not in the study",
    ),
    "no units": (lambda d: delattr(mapping(d), "MeasurementUnitsCodeSequence"), "no units"),
    "no quantity": (lambda d: delattr(mapping(d), "QuantityDefinitionSequence"), "which quantity"),
    "a slope": (lambda d: setattr(mapping(d), "RealWorldValueSlope", 2.0), "not the real-world values"),
    "no mapping": (lambda d: delattr(shared(d), "RealWorldValueMappingSequence"), "no units"),
    "no anatomy": (lambda d: delattr(shared(d), "FrameAnatomySequence"), "Frame Anatomy"),
    "a side": (lambda d: setattr(shared(d).FrameAnatomySequence[0], "FrameLaterality", "L"), "writes a side"),
    "no pixels": (lambda d: delattr(d, "FloatPixelData"), "FloatPixelData is missing"),
}


@pytest.mark.parametrize("fault", MAP_FAULTS)
def test_a_broken_map_does_not_pass(fault: str, mapped: Example) -> None:
    change, said = MAP_FAULTS[fault]

    assert said in faults(mapped, Role.PMAP, change)


def test_a_whole_map_passes(mapped: Example) -> None:
    assert door_says(mapped) == []


def test_a_map_of_a_projection_may_not_claim_the_frame_of_reference_of_images(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    image = dx_image()
    image.FrameOfReferenceUID = uid("received")
    example = projection(tmp_path_factory.mktemp("projection"), PMAP, image=image)

    said = faults(example, Role.PMAP, lambda d: setattr(d, "FrameOfReferenceUID", uid("received")))

    assert "of its own" in said
