"""A presentation state draws each finding around its own voxels, on its own images, under its own name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode.display import usual_values, window
from dicomnode.encode.door.items import groups, tracking_of
from dicomnode.encode.results import encode_results
from dicomnode.values import Frame, Role, Segmentation
from tests.phantom import ct_series, dx_image, enhanced, mr_series, pt_series
from tests.unit.encode.examples import (
    MADE_AT,
    SEGMENTS,
    Example,
    could_not_results,
    node_of,
    run_of,
    segmented,
    stacked,
    stored,
    two_boxes,
)
from tests.unit.encode.placed import ENHANCED, PLACED, door_says, in_single, placed, projection
from tests.unit.encode.test_outlines import filled

GSPS = (Role.SR, Role.GSPS)


def drawn(state: Dataset, label: str, example: Example) -> NDArray[np.bool_]:
    """The voxels within the outlines of one finding; within a hole they are not."""
    places = {(f.sop_instance_uid, f.frame_number): k for k, f in enumerate(example.volume.frames)}
    mask = np.zeros(example.volume.voxels.shape, bool)
    for annotation in state.GraphicAnnotationSequence:
        (image,) = annotation.ReferencedImageSequence
        k = places[image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")]
        for line in annotation.get("GraphicObjectSequence", []):
            if line.TrackingID == label:
                mask[k] ^= filled(np.array(line.GraphicData).reshape(-1, 2), mask.shape[1:])
    return mask


def texts(state: Dataset) -> list[tuple[Dataset, Dataset]]:
    """Each text with the image that it stands on."""
    return [
        (text, annotation.ReferencedImageSequence[0])
        for annotation in state.GraphicAnnotationSequence
        for text in annotation.get("TextObjectSequence", [])
    ]


@pytest.mark.parametrize("name", PLACED)
def test_each_structure_is_outlined_around_its_voxels_on_every_slice(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, GSPS)

    state = example.read(Role.GSPS)
    assert np.array_equal(drawn(state, "Anterior hippocampus", example), example.labels == 1)
    assert np.array_equal(drawn(state, "Posterior hippocampus", example), example.labels == 2)
    assert door_says(example) == []


@pytest.mark.parametrize("name", PLACED)
def test_each_structure_is_named_on_its_key_slice_at_its_outline(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, GSPS)

    found = texts(example.read(Role.GSPS))
    assert [text.UnformattedTextValue for text, _ in found] == ["AI: Anterior hippocampus", "AI: Posterior hippocampus"]
    for (_, image), k in zip(found, (1, 3), strict=True):
        frame = example.volume.frames[k]
        assert (image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")) == (
            frame.sop_instance_uid,
            frame.frame_number,
        )
    column, row = found[0][0].AnchorPoint
    assert row == 1.0  # rows 1-3: the upper edge of row 1, where (0, 0) is the outer corner of the first pixel
    assert 1.0 <= column <= 3.0  # columns 1-2


def test_outlines_and_texts_are_tracked_as_the_report_tracks_them(tmp_path: Path) -> None:
    example = placed("axial CT", tmp_path, GSPS)

    state = example.read(Role.GSPS)
    lines = [line for item in state.GraphicAnnotationSequence for line in item.get("GraphicObjectSequence", [])]
    tracked = {(one.TrackingID, one.TrackingUID) for one in (*lines, *(text for text, _ in texts(state)))}
    assert tracked == {tracking_of(group) for group in groups(example.report)}


def test_each_finding_has_a_layer_in_its_colour_under_its_name(tmp_path: Path) -> None:
    state = placed("axial CT", tmp_path, GSPS).read(Role.GSPS)

    layers = state.GraphicLayerSequence
    assert [layer.GraphicLayerDescription for layer in layers] == ["Anterior hippocampus", "Posterior hippocampus"]
    assert [layer.GraphicLayer for layer in layers] == ["FINDING 1", "FINDING 2"]
    assert layers[0].GraphicLayerRecommendedDisplayCIELabValue != layers[1].GraphicLayerRecommendedDisplayCIELabValue


def test_only_images_with_a_finding_are_referred_to(tmp_path: Path) -> None:
    example = placed("reversed stack", tmp_path, GSPS)

    (series,) = example.read(Role.GSPS).ReferencedSeriesSequence
    uids = [image.ReferencedSOPInstanceUID for image in series.ReferencedImageSequence]
    assert uids == [example.volume.frames[k].sop_instance_uid for k in (1, 2, 3)]


@pytest.mark.parametrize("name", ENHANCED)
def test_frames_with_a_finding_are_referred_to_in_one_image(name: str, tmp_path: Path) -> None:
    example = placed(name, tmp_path, GSPS)

    (image,) = example.read(Role.GSPS).ReferencedSeriesSequence[0].ReferencedImageSequence
    assert list(image.ReferencedFrameNumber) == [example.volume.frames[k].frame_number for k in (1, 2, 3)]


def test_the_whole_image_is_displayed_with_pixels_of_its_own_shape(tmp_path: Path) -> None:
    (area,) = placed("anisotropic CT", tmp_path, GSPS).read(Role.GSPS).DisplayedAreaSelectionSequence

    assert (area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner) == ([1, 1], [8, 6])
    assert area.PresentationPixelSpacing == [0.5, 0.75]


def test_a_radiograph_is_labelled_with_finding_and_probability(tmp_path: Path) -> None:
    example = projection(tmp_path, GSPS)

    ((text, image),) = texts(example.read(Role.GSPS))
    assert text.UnformattedTextValue == "AI: Pneumonia 90 %"
    assert text.BoundingBoxAnnotationUnits == "DISPLAY"
    assert image.ReferencedSOPInstanceUID == example.series.instances[0].sop_instance_uid
    assert door_says(example) == []


def test_an_image_whose_lowest_value_is_white_stays_so(tmp_path: Path) -> None:
    plain = projection(tmp_path / "1", GSPS).read(Role.GSPS)
    inverted = projection(tmp_path / "2", GSPS, image=dx_image(inverted=True))

    assert plain.PresentationLUTShape == "IDENTITY"
    assert inverted.read(Role.GSPS).PresentationLUTShape == "INVERSE"
    assert door_says(inverted) == []


def test_nothing_found_and_could_not_analyse_have_no_presentation_state(tmp_path: Path) -> None:
    assert [one.role for one in projection(tmp_path / "1", GSPS, probability=0.1).made] == [Role.SR]
    assert Role.GSPS not in [one.role for one in could_not_results(tmp_path / "2").made]


def test_windows_that_differ_are_repeated_for_their_own_images(tmp_path: Path) -> None:
    images = ct_series()
    for k, image in enumerate(images):
        image.WindowCenter, image.WindowWidth = ([40, 300], [400, 1500]) if k < 3 else (50, 350)
    example = shown_in(images, tmp_path)

    soft, bone = example.read(Role.GSPS).SoftcopyVOILUTSequence
    assert (soft.WindowCenter, soft.WindowWidth) == (40, 400)
    assert (bone.WindowCenter, bone.WindowWidth) == (50, 350)
    uids = [i.ReferencedSOPInstanceUID for i in soft.ReferencedImageSequence]
    assert uids == [images[k].SOPInstanceUID for k in (1, 2)]
    assert door_says(example) == []


def test_one_window_for_all_names_no_images(tmp_path: Path) -> None:
    images = ct_series()
    for image in images:
        image.WindowCenter, image.WindowWidth, image.VOILUTFunction = 40, 400, "LINEAR_EXACT"

    (item,) = shown_in(images, tmp_path).read(Role.GSPS).SoftcopyVOILUTSequence
    assert "ReferencedImageSequence" not in item
    assert item.VOILUTFunction == "LINEAR_EXACT"


def shown_in(images: list[Dataset], folder: Path) -> Example:
    study, series = stored(images, folder)
    volume, run = stacked(images, series), run_of(study)
    labels = two_boxes(volume.voxels.shape)
    made = encode_results(run, series, volume, segmented(labels), SEGMENTS, node_of(folder), MADE_AT, objects=GSPS)
    return Example(run, series, volume, labels, made, SEGMENTS)


def test_images_whose_slope_differs_from_the_key_images_are_not_shown(tmp_path: Path) -> None:
    images = pt_series(slices=5)
    images[2].RescaleSlope = images[1].RescaleSlope
    example = shown_in(images, tmp_path)

    state = example.read(Role.GSPS)
    named = [image.ReferencedSOPInstanceUID for image in state.ReferencedSeriesSequence[0].ReferencedImageSequence]
    assert named == [images[k].SOPInstanceUID for k in (1, 2)]
    assert state.RescaleSlope == images[1].RescaleSlope
    assert door_says(example) == []


FRAME = Frame("1.2", "1.3", None, Path("image.dcm"))


def test_a_window_is_the_images_first() -> None:
    image = ct_series(slices=1)[0]
    image.WindowCenter, image.WindowWidth = [40, 300], [400, 1500]

    assert window(image, FRAME) == (40.0, 400.0, None)


def test_without_a_window_the_image_is_shown_from_its_smallest_to_its_largest_value() -> None:
    image = ct_series(slices=1)[0]
    image.SmallestImagePixelValue, image.LargestImagePixelValue = 24, 2024

    assert window(image, FRAME) == (0.0, 2000.0, None)  # intercept -1024


def test_without_either_it_is_shown_around_the_values_of_the_findings(tmp_path: Path) -> None:
    image = mr_series(slices=1)[0]
    volume = stacked([image], stored([image], tmp_path)[1])
    labels = np.zeros((1, 6, 8), np.uint8)
    labels[0, :, :4] = 1
    volume.voxels[0, :, 0], volume.voxels[0, :, 1:4], volume.voxels[0, :, 4:] = 200, 300, 5000

    usual = usual_values(volume, Segmentation(labels))

    assert usual == (0.0, 400.0)  # 200 to 300, and as much again on both sides; but 0 is shown
    assert window(image, FRAME, usual) == (200.0, 400.0, None)


def test_without_any_of_it_the_image_is_shown_over_all_that_it_can_store() -> None:
    assert window(dx_image(), FRAME) == (2047.5, 4095.0, None)


def test_the_window_of_a_frame_stands_in_its_functional_groups() -> None:
    image = enhanced(mr_series())
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = 300, 600
    image.PerFrameFunctionalGroupsSequence[2].FrameVOILUTSequence = [voi]

    assert window(image, replace(FRAME, frame_number=3)) == (300.0, 600.0, None)


def test_encoding_a_presentation_state_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (in_single("axial CT", tmp_path, GSPS) for _ in range(2))

    assert [one.content for one in first.made] == [one.content for one in second.made]
