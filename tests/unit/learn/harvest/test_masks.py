"""What a reader drew lands on the voxels that it was drawn on, or is refused in words."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from scipy.ndimage import label

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.encode.outlines import outlines, with_keyholes
from dicomnode.learn.harvest import drawing_labels, segmentations, structure_sets
from dicomnode.learn.harvest.drawn import OtherGrid, drawn_on, write_boxes, write_mask
from dicomnode.learn.harvest.grid import DrawingRefused, SourceGrid, source_grid, volume_digest
from dicomnode.learn.harvest.segmentations import Masks
from dicomnode.values import Series
from dicomnode.volume.build import build_volume
from tests.phantom import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    SAGITTAL,
    ct_series,
    dx_image,
    enhanced,
    instance_of,
    series_of,
    write,
)
from tests.unit.learn.harvest.drawn_made import (
    LABELMAP,
    grid_of,
    random_map,
    segmentation,
    shuffled_frames,
    structure_set,
)

NAMES = ("One", "Two")
SHAPE = (4, 7, 9)
"""Rows × columns is no whole number of bytes."""
ORIENTATIONS = {"axial": AXIAL, "sagittal": SAGITTAL, "coronal": CORONAL, "oblique": OBLIQUE}


def images_of(orientation: Sequence[float] = AXIAL, shape: tuple[int, int, int] = SHAPE) -> list[Dataset]:
    """Images in ascending order along the normal."""
    slices, rows, columns = shape
    return ct_series(
        slices=slices, rows=rows, columns=columns, spacing_mm=2.5, pixel_mm=(0.7, 0.9), orientation=orientation,
        origin=(-31.3, 12.7, 5.1),
    )  # fmt: skip


def stored(images: Sequence[Dataset], folder: Path) -> Series:
    return series_of(write(images, folder / "images"))


def on_grid(seg: Dataset, grid: SourceGrid, folder: Path) -> Masks:
    (path,) = write([seg], folder / "drawn")
    return segmentations.masks_of(instance_of(path), grid)


def label_map(masks: Masks, labels: int = 2) -> NDArray[np.uint8]:
    found = np.zeros(masks.grid.shape, np.uint8)
    for n in range(1, labels + 1):
        found[masks.of(n)] = n
    return found


@pytest.mark.parametrize("order", ["as they lie", "reversed", "shuffled"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_segmentation_lands_on_its_voxels(orientation: str, order: str, tmp_path: Path) -> None:
    images, truth = images_of(ORIENTATIONS[orientation]), random_map(SHAPE)
    grid = grid_of(images, stored(images, tmp_path))
    sequence = {"as they lie": [0, 1, 2, 3], "reversed": [3, 2, 1, 0], "shuffled": [2, 0, 3, 1]}[order]
    seg = segmentation([images[n] for n in sequence], truth[sequence], NAMES)
    seg = shuffled_frames(seg, [5, 0, 3, 1, 7, 2, 6, 4]) if order == "shuffled" else seg

    assert np.array_equal(label_map(on_grid(seg, grid, tmp_path)), truth)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_a_label_map_segmentation_lands_on_its_voxels(order: list[int], tmp_path: Path) -> None:
    images, truth = images_of(OBLIQUE), random_map(SHAPE)
    grid = grid_of(images, stored(images, tmp_path))
    seg = segmentation([images[n] for n in order], truth[order], NAMES, kind=LABELMAP)

    assert np.array_equal(label_map(on_grid(seg, grid, tmp_path)), truth)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_segmentation_of_an_enhanced_image_lands_on_its_voxels(reverse: bool, tmp_path: Path) -> None:
    images, truth = images_of(OBLIQUE), random_map(SHAPE)
    image = enhanced(images, reverse_frames=reverse)
    grid = grid_of([image], stored([image], tmp_path))
    seg = segmentation([image], truth[::-1] if reverse else truth, NAMES)

    assert np.array_equal(label_map(on_grid(seg, grid, tmp_path)), truth)


def test_frames_that_are_mirrored_or_cut_out_land_on_their_voxels(tmp_path: Path) -> None:
    images, truth = images_of(OBLIQUE), random_map(SHAPE)
    grid = grid_of(images, stored(images, tmp_path))
    mirrored = []
    for image in images:  # columns run the other way, and the first row is left out
        direction = np.array(image.ImageOrientationPatient, float)
        other = Dataset()
        other.update(image)
        first = np.array(image.ImagePositionPatient, float) + direction[:3] * 0.9 * (SHAPE[2] - 1) + direction[3:] * 0.7
        other.ImagePositionPatient = [f"{mm:.6f}" for mm in first]
        other.ImageOrientationPatient = [f"{one:.9g}" for one in (*-direction[:3], *direction[3:])]
        other.Rows, other.PixelData = SHAPE[1] - 1, image.PixelData[: 2 * (SHAPE[1] - 1) * SHAPE[2]]
        mirrored.append(other)
    seg = segmentation(mirrored, truth[:, 1:, ::-1].copy(), NAMES)

    expected = truth.copy()
    expected[:, 0] = 0
    assert np.array_equal(label_map(on_grid(seg, grid, tmp_path)), expected)


def test_a_segmentation_of_an_image_without_a_position_lands_pixel_by_pixel(tmp_path: Path) -> None:
    image, truth = dx_image(), random_map((1, 6, 8), labels=1)
    rules = SeriesRules(modalities=("DX",), dimensions=2)
    grid = source_grid(stored([image], tmp_path), rules)
    seg = segmentation(images_of(shape=(1, 6, 8)), truth)
    del seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence
    for group in seg.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence = Items([])

    assert np.array_equal(label_map(on_grid(seg, grid, tmp_path), 1), truth)


def moved(seg: Dataset, *, by_mm: float) -> Dataset:
    for group in seg.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        place.ImagePositionPatient = [place.ImagePositionPatient[0], *place.ImagePositionPatient[1:2],
                                      float(place.ImagePositionPatient[2]) + by_mm]  # fmt: skip
    return seg


def other_frame_of_reference(seg: Dataset) -> Dataset:
    seg.FrameOfReferenceUID = "1.2.3"
    return seg


def coarser(seg: Dataset) -> Dataset:
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = ["1.4", "1.8"]
    return seg


def fractional(seg: Dataset) -> Dataset:
    seg.SegmentationType = "FRACTIONAL"
    return seg


@pytest.mark.parametrize(("spoilt", "words"), [
    (lambda seg: moved(seg, by_mm=1.2), "its slices lie 0.48 voxels off those of the images"),
    (lambda seg: moved(seg, by_mm=-2.5), "a frame names one image as its source and lies on another"),
    (other_frame_of_reference, "its frame of reference is not that of the images"),
    (coarser, "its pixels .* are not those of the images"),
    (fractional, "a FRACTIONAL segmentation"),
])  # fmt: skip
def test_a_segmentation_that_fits_not_is_refused_in_words(spoilt: object, words: str, tmp_path: Path) -> None:
    images = images_of()
    grid = grid_of(images, stored(images, tmp_path))
    seg = spoilt(segmentation(images, random_map(SHAPE, 1)))  # type: ignore[operator]

    with pytest.raises(DrawingRefused, match=words):
        on_grid(seg, grid, tmp_path)


def test_something_drawn_outside_of_the_images_is_refused(tmp_path: Path) -> None:
    images = images_of()
    grid = grid_of(images[:2], stored(images[:2], tmp_path))

    with pytest.raises(DrawingRefused, match="outside of the images"):
        on_grid(segmentation(images, random_map(SHAPE), NAMES), grid, tmp_path)


def test_the_grid_is_the_very_one_that_the_model_is_given(tmp_path: Path) -> None:
    images = images_of(OBLIQUE)
    series = stored([images[n] for n in (2, 0, 3, 1)], tmp_path)
    volume = build_volume(series, SeriesRules(modalities=("CT",)))
    grid = grid_of(images, series)

    assert (grid.shape, grid.frames) == (volume.voxels.shape, volume.frames)
    assert np.array_equal(grid.affine_lps, volume.affine_lps)
    assert grid.digest == volume_digest(volume)


def test_a_drawing_is_read_back_on_its_own_images_and_on_no_others(tmp_path: Path) -> None:
    images, truth = images_of(), random_map(SHAPE)
    series = stored(images, tmp_path)
    grid, rules = grid_of(images, series), SeriesRules(modalities=("CT",))
    mask = write_mask(tmp_path, grid, truth)
    boxes = write_boxes(tmp_path, grid, np.zeros((0, 6), np.float32), np.zeros(0, np.int64))

    found = drawn_on(build_volume(series, rules), tmp_path / mask)
    assert found.mask is not None
    assert np.array_equal(found.mask, truth)
    none = drawn_on(build_volume(series, rules), tmp_path / boxes)
    assert none.boxes is not None
    assert none.boxes.shape == (0, 6)
    with pytest.raises(OtherGrid):
        drawn_on(build_volume(Series(series.series_uid, series.instances[1:]), rules), tmp_path / mask)


def square(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """Half-way between the centres of the pixels inside and outside."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_contours_fill_the_voxels_whose_centres_they_hold_and_a_contour_within_is_a_hole(
    orientation: str, tmp_path: Path
) -> None:
    images = images_of(ORIENTATIONS[orientation])
    structures = structure_set(
        [images[n] for n in (2, 0, 3, 1)],
        {
            "One": [
                (0, square(0.5, 0.5, 6.5, 5.5)),
                (0, square(1.5, 1.5, 3.5, 3.5)[::-1]),
                (0, square(6.5, 5.5, 7.5, 6.5)),
            ],
            "Two": [(3, square(-0.5, -0.5, 2.5, 0.5))],
        },
    )
    order = [2, 0, 3, 1]  # contours were given on the images in this order
    expected = np.zeros(SHAPE, np.uint8)
    expected[order[0], 1:6, 1:7] = 1
    expected[order[0], 2:4, 2:4] = 0
    expected[order[0], 6, 7] = 1
    expected[order[3], 0, 0:3] = 2

    masks = structure_sets.masks_of(structures, grid_of(images, stored(images, tmp_path)))

    assert np.array_equal(label_map(masks), expected)


def test_a_keyhole_is_a_hole() -> None:
    outer, hole = square(0.5, 0.5, 6.5, 5.5), square(2.5, 2.5, 4.5, 4.5)
    line = [outer[0], hole[0], hole[3], hole[2], hole[1], hole[0], *outer]

    inside = structure_sets.filled([np.array(line)], (7, 9))

    expected = np.zeros((7, 9), bool)
    expected[1:6, 1:7] = True
    expected[3:5, 3:5] = False
    assert np.array_equal(inside, expected)


def test_any_mask_outlined_and_filled_is_itself() -> None:
    mask = (np.random.default_rng(3).random((1, 40, 50)) > 0.55).astype(np.uint8)
    whole = (slice(0, 1), slice(0, 40), slice(0, 50))
    assert label(mask)[1] > 20
    lines = [with_keyholes(one)[:-1] - 0.5 for one in outlines(mask, 1, whole)]

    assert np.array_equal(structure_sets.filled(lines, (40, 50)), mask[0] == 1)


def open_line(structures: Dataset) -> Dataset:
    structures.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "OPEN_PLANAR"
    return structures


def between(structures: Dataset) -> Dataset:
    contour = structures.ROIContourSequence[0].ContourSequence[0]
    values = [float(value) for value in contour.ContourData]
    contour.ContourData = [f"{v + (1.0 if n % 3 == 2 else 0):.4f}" for n, v in enumerate(values)]
    return structures


def elsewhere(structures: Dataset) -> Dataset:
    structures.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    return structures


@pytest.mark.parametrize(("spoilt", "words"), [
    (open_line, "only closed planar ones have an inside"),
    (between, "a contour lies 0.40 slices off the images"),
    (elsewhere, "its frame of reference is not that of the images"),
])  # fmt: skip
def test_a_structure_set_that_fits_not_is_refused_in_words(spoilt: object, words: str, tmp_path: Path) -> None:
    images = images_of()
    structures = spoilt(structure_set(images, {"One": [(1, square(0.5, 0.5, 3.5, 3.5))]}))  # type: ignore[operator]

    with pytest.raises(DrawingRefused, match=words):
        structure_sets.masks_of(structures, grid_of(images, stored(images, tmp_path)))


def test_two_structures_that_claim_one_voxel_are_refused(tmp_path: Path) -> None:
    images = images_of()
    masks = Masks(grid_of(images, stored(images, tmp_path)))
    masks.add(1, np.array([[0, 1, 2]]))
    masks.add(2, np.array([[0, 1, 2]]))

    with pytest.raises(DrawingRefused, match="two of its structures claim the same voxel"):
        drawing_labels.label_map(masks, {1: 1, 2: 2})


def test_each_lesion_of_a_mask_has_a_box(tmp_path: Path) -> None:
    images = images_of()
    masks = Masks(grid_of(images, stored(images, tmp_path)))
    masks.add(1, np.array([[0, 1, 2], [1, 2, 3], [3, 6, 8]]))

    boxes, labels = drawing_labels.boxes_of(masks, {1: 5})

    assert boxes.tolist() == [[0, 1, 2, 2, 3, 4], [3, 6, 8, 4, 7, 9]]
    assert labels.tolist() == [5, 5]


def test_who_drew_a_part_and_how_is_told_by_the_object() -> None:
    images = images_of()
    seg, structures = segmentation(images, random_map(SHAPE), NAMES), structure_set(images, {"One": []})

    assert [(part.label, part.by_person) for part in segmentations.parts_of(seg)] == [("One", True), ("Two", True)]
    assert segmentations.creator_of(seg) == structure_sets.creator_of(structures) == "Reader^One"
