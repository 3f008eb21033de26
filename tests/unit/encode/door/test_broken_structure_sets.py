"""Each thing that can be wrong with an RT Structure Set is caught."""

import pytest
from pydicom import Dataset

from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example
from tests.unit.encode.placed import ENHANCED, SINGLE, door_says, placed

RT = (Role.SR, Role.RTSTRUCT)


@pytest.fixture(scope="module", params=["oblique MR", "enhanced MR, frames reversed"])
def contoured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    assert request.param in (*SINGLE, *ENHANCED)
    return placed(request.param, tmp_path_factory.mktemp("rtstruct"), RT)


def place(dataset: Dataset) -> Dataset:
    return dataset.ReferencedFrameOfReferenceSequence[0]


def study(dataset: Dataset) -> Dataset:
    return place(dataset).RTReferencedStudySequence[0]


def series(dataset: Dataset) -> Dataset:
    return study(dataset).RTReferencedSeriesSequence[0]


def roi(dataset: Dataset) -> Dataset:
    return dataset.StructureSetROISequence[0]


def contour(dataset: Dataset) -> Dataset:
    return dataset.ROIContourSequence[0].ContourSequence[0]


def move(dataset: Dataset, mm: tuple[float, float, float]) -> None:
    values = [float(value) for value in contour(dataset).ContourData]
    contour(dataset).ContourData = [value + mm[n % 3] for n, value in enumerate(values)]


RT_FAULTS: dict[str, Change] = {
    "off its slice": (lambda d: move(d, (0.048, -0.064, 0.06)), "0.10 mm off its slice"),
    "outside its image": (lambda d: move(d, (-8.0, -6.0, 0.0)), "outside its image"),
    "a point too few": (lambda d: contour(d).ContourData.pop(), "number of points"),
    "an open contour": (lambda d: setattr(contour(d), "ContourGeometricType", "OPEN_PLANAR"), "not CLOSED_PLANAR"),
    "no image": (lambda d: delattr(contour(d), "ContourImageSequence"), "names no image"),
    "an image of another study": (
        lambda d: setattr(contour(d).ContourImageSequence[0], "ReferencedSOPInstanceUID", uid("elsewhere")),
        "not in the study",
    ),
    "no contour": (lambda d: delattr(d.ROIContourSequence[0], "ContourSequence"), "has no contour"),
    "a region without contours": (lambda d: d.ROIContourSequence.pop(), "ROIContourSequence does not speak"),
    "a region nobody observed": (lambda d: d.RTROIObservationsSequence.pop(), "RTROIObservationsSequence does not"),
    "a number twice": (lambda d: setattr(roi(d), "ROINumber", 2), "do not count from 1"),
    "no name": (lambda d: setattr(roi(d), "ROIName", ""), "has no name"),
    "a name of nothing": (lambda d: setattr(roi(d), "ROIName", "Other"), "no finding of the report has"),
    "untracked": (lambda d: delattr(roi(d), "ConceptualVolumeIdentificationSequence"), "not tracked"),
    "drawn by hand": (lambda d: setattr(roi(d), "ROIGenerationAlgorithm", "MANUAL"), "AUTOMATIC"),
    "approved": (lambda d: setattr(d, "ApprovalStatus", "APPROVED"), "not UNAPPROVED"),
    "another frame of reference": (lambda d: setattr(d, "FrameOfReferenceUID", uid("x")), "frame of reference"),
    "images in another frame of reference": (
        lambda d: setattr(place(d), "FrameOfReferenceUID", uid("x")),
        "frame of reference",
    ),
    "a region in another frame of reference": (
        lambda d: setattr(roi(d), "ReferencedFrameOfReferenceUID", uid("x")),
        "frame of reference",
    ),
    "another study": (lambda d: setattr(study(d), "ReferencedSOPInstanceUID", uid("x")), "does not name its study"),
    "another series": (lambda d: setattr(series(d), "SeriesInstanceUID", uid("x")), "where it is not"),
    "an image left out": (lambda d: setattr(series(d), "ContourImageSequence", []), "not among its images"),
    "no regions": (lambda d: delattr(d, "ROIContourSequence"), "ROIContourSequence"),
    "another patient": (lambda d: setattr(d, "PatientName", "X"), "PatientName is not the source's"),
}


@pytest.mark.parametrize("fault", RT_FAULTS)
def test_a_broken_structure_set_does_not_pass(fault: str, contoured: Example) -> None:
    change, said = RT_FAULTS[fault]

    assert said in faults(contoured, Role.RTSTRUCT, change)


def test_a_whole_structure_set_passes(contoured: Example) -> None:
    assert door_says(contoured) == []
