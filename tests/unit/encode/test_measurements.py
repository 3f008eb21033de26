"""Measurements of shapes whose size is known by formula, on grids that lie askew, are anisotropic or have gaps."""

from math import cos, hypot, pi, radians, sin, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.encode import concepts
from dicomnode.encode.axes import axes_of
from dicomnode.encode.door.told_items import UNITS
from dicomnode.encode.quantity import (
    ACTIVITY,
    ATTENUATION,
    MR_SIGNAL,
    PIXEL_VALUE,
    UPTAKE,
    Quantity,
    quantity_of,
)
from dicomnode.encode.regions import regions_of, spread_of
from dicomnode.encode.shown import Shown, shown_segments
from dicomnode.encode.tracking import Structure, Tracking
from dicomnode.values import Segmentation, Volume
from tests.phantom import uid
from tests.unit.encode.examples import FRONT

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OBLIQUE = ((0.8, 0.6, 0.0), (-0.36, 0.48, 0.8), (0.48, -0.64, 0.6))
REVERSED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
CORNER = (-31.5, 12.25, 100.0)
STRUCTURE = Structure(FRONT, Tracking(FRONT.label, uid(FRONT.label)))
GRIDS = {
    "isotropic": (AXIAL, (1.0, 1.0, 1.0), (60, 60, 60)),
    "anisotropic": (AXIAL, (0.6, 0.8, 1.5), (40, 76, 100)),
    "oblique": (OBLIQUE, (0.7, 0.9, 2.0), (30, 68, 86)),
    "gapped and reversed": (REVERSED, (0.75, 0.75, 3.0), (20, 80, 80)),
}
"""Direction of columns, rows and slices; distance between columns, rows and slices; (slices, rows, columns)."""


def grid(directions=AXIAL, spacing_mm=(1.0, 1.0, 1.0), shape=(60, 60, 60)) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = np.array(directions).T * np.array(spacing_mm)
    affine[:3, 3] = CORNER
    return Volume(np.zeros(shape, np.float32), affine, (), "1.2", "1.3", has_geometry=True)


def along(volume: Volume) -> tuple[NDArray[np.float64], ...]:
    """Distance of each voxel's centre from the middle of the grid along columns, rows and slices, in mm."""
    spacing = np.linalg.norm(volume.affine_lps[:3, :3], axis=0)
    k, j, i = np.indices(volume.voxels.shape)
    shape = volume.voxels.shape
    return tuple((n - (size - 1) / 2) * mm for n, size, mm in zip((i, j, k), shape[::-1], spacing, strict=True))


def shown_of(mask: NDArray[np.bool_], volume: Volume) -> tuple[Shown, float, float]:
    """The finding, its volume in ml and its largest diameter in mm."""
    labels = mask.astype(np.uint8)
    regions = regions_of(labels, volume, [STRUCTURE])
    (shown,) = shown_segments(Segmentation(labels), volume, regions)
    return shown, regions.found[0].volume_ml, regions.found[0].extent_mm


def middle_lps(volume: Volume) -> NDArray[np.float64]:
    k, j, i = ((size - 1) / 2 for size in volume.voxels.shape)
    return (volume.affine_lps @ (i, j, k, 1.0))[:3]


@pytest.mark.parametrize("name", GRIDS)
def test_a_sphere_has_its_volume_its_diameter_in_every_direction_and_its_centre(name: str) -> None:
    volume, radius_mm = grid(*GRIDS[name]), 20.0
    x, y, z = along(volume)
    voxel_mm = float(np.linalg.norm(GRIDS[name][1]))

    shown, volume_ml, extent_mm = shown_of(x**2 + y**2 + z**2 <= radius_mm**2, volume)

    assert volume_ml == pytest.approx(4 / 3 * pi * radius_mm**3 / 1000, rel=0.01)
    assert extent_mm == pytest.approx(2 * radius_mm, abs=voxel_mm)
    assert shown.axes is not None
    assert shown.axes.long_mm == pytest.approx(2 * radius_mm, abs=1.0)
    assert shown.axes.short_mm == pytest.approx(2 * radius_mm, abs=1.0)
    assert shown.centre_mm == pytest.approx(tuple(middle_lps(volume)), abs=0.01)


@pytest.mark.parametrize("turned_deg", [0, 30, 45, 75])
@pytest.mark.parametrize("name", GRIDS)
def test_an_ellipsoid_turned_within_its_slices_has_the_axes_of_its_ellipse(name: str, turned_deg: float) -> None:
    volume = grid(*GRIDS[name])
    x, y, z = along(volume)
    u = x * cos(radians(turned_deg)) + y * sin(radians(turned_deg))
    v = y * cos(radians(turned_deg)) - x * sin(radians(turned_deg))

    shown, volume_ml, extent_mm = shown_of((u / 22) ** 2 + (v / 9) ** 2 + (z / 15) ** 2 <= 1, volume)

    assert volume_ml == pytest.approx(4 / 3 * pi * 22 * 9 * 15 / 1000, rel=0.015)
    assert extent_mm == pytest.approx(44, abs=float(np.linalg.norm(GRIDS[name][1])))
    assert shown.axes is not None
    assert (shown.axes.long_mm, shown.axes.short_mm) == (pytest.approx(44, abs=1.0), pytest.approx(18, abs=1.0))


@pytest.mark.parametrize("turned_deg", [0, 20, 45, 90])
def test_a_box_turned_within_its_slices_is_measured_along_its_diagonal(turned_deg: float) -> None:
    volume = grid(OBLIQUE, (0.5, 0.5, 2.0), (12, 110, 110))
    x, y, z = along(volume)
    u = x * cos(radians(turned_deg)) + y * sin(radians(turned_deg))
    v = y * cos(radians(turned_deg)) - x * sin(radians(turned_deg))

    shown, volume_ml, extent_mm = shown_of((abs(u) < 20) & (abs(v) < 10) & (abs(z) < 6), volume)

    assert volume_ml == pytest.approx(40 * 20 * 12 / 1000, rel=0.01)
    assert extent_mm == pytest.approx(sqrt(40**2 + 20**2 + 12**2), abs=1.0)
    assert shown.axes is not None
    # the diagonal; the line perpendicular to it through the box ends on the long sides: 20 × 44.7 / 40
    assert shown.axes.long_mm == pytest.approx(hypot(40, 20), abs=0.75)
    assert shown.axes.short_mm == pytest.approx(20 * hypot(40, 20) / 40, abs=0.75)


def test_axes_are_exact_on_an_outline_of_anisotropic_pixels() -> None:
    # a rectangle of 8 columns of 0.5 mm and 6 rows of 0.5 mm: 4 × 3 mm; diagonal 5, perpendicular 3 × 5 / 4
    volume = grid(spacing_mm=(0.5, 0.5, 1.0))
    rectangle = np.array([(1, 2), (9, 2), (9, 8), (1, 8), (1, 2)], float)

    axes = axes_of(rectangle, volume)

    assert (axes.long_mm, axes.short_mm) == (pytest.approx(5.0), pytest.approx(3.75))
    assert set(axes.long_line) in ({(1.0, 2.0), (9.0, 8.0)}, {(9.0, 2.0), (1.0, 8.0)})


def test_the_short_axis_does_not_leave_the_outline() -> None:
    # a U: 20 wide, 12 high, arms and floor 2 thick. Perpendicular to its diagonal, the longest line within it cuts a
    # lower corner and touches the inner one (2, 2): 20 x + 12 y = 64, from (3.2, 0) to (0, 16 / 3)
    u = np.array([(0, 0), (20, 0), (20, 12), (18, 12), (18, 2), (2, 2), (2, 12), (0, 12), (0, 0)], float)

    axes = axes_of(u, grid())

    assert axes.long_mm == pytest.approx(hypot(20, 12))
    assert axes.short_mm == pytest.approx(hypot(3.2, 16 / 3), abs=1e-4)


def test_axes_are_perpendicular() -> None:
    shape = np.array([(0, 0), (9, 1), (12, 6), (5, 8), (-1, 3), (0, 0)], float)

    axes = axes_of(shape, grid())

    long, short = (np.subtract(*line) for line in (axes.long_line, axes.short_line))
    assert float(long @ short) == pytest.approx(0, abs=1e-9)


def test_the_key_slice_of_a_cone_is_its_base() -> None:
    volume = grid(shape=(30, 60, 60))
    x, y, z = along(volume)
    height = z + 14.5  # 0 at the first slice

    shown, _, _ = shown_of(np.hypot(x, y) <= 20 - height / 2, volume)

    assert shown.key is not None
    assert shown.key.slice == 0
    assert shown.axes is not None
    assert shown.axes.long_mm == pytest.approx(40, abs=1.0)


def test_values_inside_are_those_of_the_mask() -> None:
    spread = spread_of(np.array([10, 20, 30, 40], np.float32))

    # deviations -15, -5, 5, 15: mean square 125
    assert spread is not None
    assert (spread.mean, spread.deviation, spread.least, spread.most) == (25, pytest.approx(sqrt(125)), 10, 40)


def test_values_are_told_with_their_unit_and_how_they_were_derived() -> None:
    volume = grid(shape=(3, 4, 4))
    volume.voxels[1, 1, 1:3] = (-100, 50)
    labels = np.zeros((3, 4, 4), np.uint8)
    labels[1, 1, 1:3] = 1

    (shown,) = shown_segments(Segmentation(labels), volume, regions_of(labels, volume, [STRUCTURE]), ATTENUATION)

    told = {f.derivation: (f.value, f.unit) for f in shown.figures if f.name == concepts.ATTENUATION}
    assert told == {
        concepts.MEAN: (-25.0, concepts.HOUNSFIELD),
        concepts.STANDARD_DEVIATION: (75.0, concepts.HOUNSFIELD),
        concepts.MINIMUM: (-100.0, concepts.HOUNSFIELD),
        concepts.MAXIMUM: (50.0, concepts.HOUNSFIELD),
    }


@pytest.mark.parametrize(
    "quantity", [ATTENUATION, MR_SIGNAL, PIXEL_VALUE, ACTIVITY, *UPTAKE.values()], ids=lambda one: one.name.meaning
)
def test_the_door_knows_the_unit_of_every_quantity(quantity: Quantity) -> None:
    name = f"{quantity.name.value}/{quantity.name.scheme_designator}"

    assert UNITS[name] == {quantity.unit.value}


def test_values_that_were_not_kept_are_not_told() -> None:
    assert spread_of(np.array([np.nan, np.nan], np.float32)) is None


def image(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def test_the_unit_follows_from_the_image() -> None:
    shared = image(PixelValueTransformationSequence=[image(RescaleType="US")])

    assert quantity_of(image(Modality="CT", RescaleType="HU")) == ATTENUATION
    assert quantity_of(image(Modality="CT")) == ATTENUATION
    assert quantity_of(image(Modality="CT", RescaleType="US")) == PIXEL_VALUE
    assert quantity_of(image(Modality="CT", SharedFunctionalGroupsSequence=[shared])) == PIXEL_VALUE
    assert quantity_of(image(Modality="MR")) == MR_SIGNAL
    assert quantity_of(image(Modality="DX")) == PIXEL_VALUE
    assert quantity_of(image(Modality="PT", Units="BQML")).unit.value == "Bq/ml"
    assert quantity_of(image(Modality="PT", Units="GML")).unit.value == "g/ml{SUVbw}"
    assert quantity_of(image(Modality="PT", Units="GML", SUVType="LBM")).unit.value == "g/ml{SUVlbm}"
    assert quantity_of(image(Modality="PT", Units="CNTS")) == PIXEL_VALUE
