"""Each thing that can be wrong with a presentation state is caught."""

import pytest
from pydicom import Dataset

from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example
from tests.unit.encode.placed import door_says, placed


@pytest.fixture(scope="module")
def presented(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return placed("oblique MR", tmp_path_factory.mktemp("gsps"), (Role.SR, Role.GSPS))


def annotation(state: Dataset) -> Dataset:
    return state.GraphicAnnotationSequence[0]


def line(state: Dataset) -> Dataset:
    return annotation(state).GraphicObjectSequence[0]


def area(state: Dataset) -> Dataset:
    return state.DisplayedAreaSelectionSequence[0]


def shift(state: Dataset, by: float) -> None:
    line(state).GraphicData = [value + by for value in line(state).GraphicData]


def open_up(state: Dataset) -> None:
    line(state).GraphicData = line(state).GraphicData[:-2]
    line(state).NumberOfGraphicPoints -= 1


def drop_image(state: Dataset) -> None:
    shown = state.ReferencedSeriesSequence[0].ReferencedImageSequence
    drawn = annotation(state).ReferencedImageSequence[0].ReferencedSOPInstanceUID
    shown.remove(next(image for image in shown if drawn == image.ReferencedSOPInstanceUID))


GSPS_FAULTS: dict[str, Change] = {
    "an outline to the right of the image": (lambda d: shift(d, 6), "outside its image"),
    "an outline above the image": (lambda d: shift(d, -2), "outside its image"),
    "an open outline": (open_up, "not closed"),
    "a point too few": (lambda d: line(d).GraphicData.pop(), "number of points"),
    "another unit": (lambda d: setattr(line(d), "GraphicAnnotationUnits", "DISPLAY"), "POLYLINE in pixels"),
    "another shape": (lambda d: setattr(line(d), "GraphicType", "ELLIPSE"), "POLYLINE in pixels"),
    "an untracked outline": (lambda d: delattr(line(d), "TrackingUID"), "not tracked"),
    "an outline of another finding": (lambda d: setattr(line(d), "TrackingUID", uid("x")), "no finding tracked as"),
    "a layer that is not there": (lambda d: setattr(annotation(d), "GraphicLayer", "OTHER"), "no layer OTHER"),
    "an image that is not shown": (drop_image, "which it does not show"),
    "an image of another study": (
        lambda d: setattr(annotation(d).ReferencedImageSequence[0], "ReferencedSOPInstanceUID", uid("elsewhere")),
        "not in the study",
    ),
    "another series": (
        lambda d: setattr(d.ReferencedSeriesSequence[0], "SeriesInstanceUID", uid("other")),
        "in series",
    ),
    "part of the image": (
        lambda d: setattr(area(d), "DisplayedAreaBottomRightHandCorner", [4, 4]),
        "not the whole image",
    ),
    "corners counted from 0": (
        lambda d: setattr(area(d), "DisplayedAreaTopLeftHandCorner", [0, 0]),
        "not the whole image",
    ),
    "no pixel shape": (lambda d: delattr(area(d), "PresentationPixelSpacing"), "aspect ratio"),
    "no window": (lambda d: delattr(d, "SoftcopyVOILUTSequence"), "no window"),
    "a window of no width": (lambda d: setattr(d.SoftcopyVOILUTSequence[0], "WindowWidth", 0), "no window"),
    "two windows for the same images": (
        lambda d: d.SoftcopyVOILUTSequence.append(d.SoftcopyVOILUTSequence[0]),
        "for which images",
    ),
    "inverted": (lambda d: setattr(d, "PresentationLUTShape", "INVERSE"), "need IDENTITY"),
    "an empty text": (
        lambda d: setattr(annotation(d).TextObjectSequence[0], "UnformattedTextValue", ""),
        "text is empty",
    ),
    "a text outside": (
        lambda d: setattr(annotation(d).TextObjectSequence[0], "AnchorPoint", [9.0, 1.0]),
        "anchored outside",
    ),
    "no graphics": (lambda d: delattr(d, "GraphicAnnotationSequence"), "GraphicAnnotationSequence is missing"),
    "a side": (lambda d: setattr(d, "Laterality", "L"), "writes a side"),
}


@pytest.mark.parametrize("fault", GSPS_FAULTS)
def test_a_broken_presentation_state_does_not_pass(fault: str, presented: Example) -> None:
    change, said = GSPS_FAULTS[fault]

    assert said in faults(presented, Role.GSPS, change)


def test_a_whole_presentation_state_passes(presented: Example) -> None:
    assert door_says(presented) == []
