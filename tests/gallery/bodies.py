"""Bodies made of ellipsoids, with grey values a reader expects and the truth of every organ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ellipsoid:
    """One organ: centre and half axes in mm (x, y, z), what its voxels say, and its label (0: none)."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    value: float
    label: int = 0


@dataclass(frozen=True)
class Grid:
    """(slices, rows, columns) around the origin, in mm."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    def places(self) -> tuple[NDArray[np.float32], ...]:
        """x, y and z of every voxel, (slice, row, column)."""
        axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(self.shape, self.spacing, strict=True)]
        z, y, x = np.meshgrid(*axes, indexing="ij")
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def made(
    grid: Grid, organs: Sequence[Ellipsoid], background: float, noise: float, seed: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Values and labels; a later organ lies on top of an earlier one."""
    x, y, z = grid.places()
    values, labels = np.full(grid.shape, background, np.float32), np.zeros(grid.shape, np.uint8)
    rough = 0.03 * np.sin(x / 21) * np.cos(y / 17) + 0.02 * np.sin((x + y) / 19 + z / 13)
    for organ in organs:
        (a, b, c), (p, q, r) = organ.centre, organ.half
        inside = ((x - a) / p) ** 2 + ((y - b) / q) ** 2 + ((z - c) / r) ** 2 + rough < 1
        values[inside] = organ.value
        labels[inside] = organ.label
    grain = np.random.default_rng(seed).normal(0, noise, grid.shape)
    soft = sum(np.roll(grain, (j, i), (1, 2)) for j in (-1, 0, 1) for i in (-1, 0, 1)) / 3
    return (values + soft).astype(np.float32), labels


TORSO = Grid((30, 288, 352), (5.0, 1.1, 1.1))
ABDOMEN = (
    Ellipsoid((0, 0, 0), (178, 128, 400), -95),
    Ellipsoid((0, 0, 0), (166, 116, 400), 45),
    Ellipsoid((0, -4, 0), (150, 98, 400), -85),
    Ellipsoid((-75, -10, 62), (66, 82, 46), -820),
    Ellipsoid((75, -10, 62), (62, 78, 46), -820),
    Ellipsoid((-72, -14, -6), (72, 74, 62), 108, 1),
    Ellipsoid((92, 22, 8), (32, 44, 42), 122, 2),
    Ellipsoid((-62, 52, -48), (25, 28, 42), 168, 3),
    Ellipsoid((64, 54, -42), (24, 28, 44), 168, 4),
    Ellipsoid((30, -52, 10), (52, 30, 30), 20),
    Ellipsoid((38, -60, 12), (26, 14, 22), -900),
    Ellipsoid((14, 36, 0), (12, 12, 400), 190, 5),
    Ellipsoid((-14, 34, 0), (13, 11, 400), 120),
    Ellipsoid((0, 66, 0), (26, 22, 400), 260),
    Ellipsoid((0, 66, 0), (20, 16, 400), 150),
    Ellipsoid((0, 92, 0), (10, 9, 400), 25),
)
CHEST = (
    Ellipsoid((0, 0, 0), (172, 118, 400), -95),
    Ellipsoid((0, 0, 0), (160, 106, 400), 42),
    Ellipsoid((-76, -6, 0), (62, 84, 90), -840),
    Ellipsoid((76, -6, 0), (60, 82, 90), -840),
    Ellipsoid((8, -20, -20), (48, 46, 50), 60),
    Ellipsoid((0, 74, 0), (24, 20, 400), 240),
    Ellipsoid((-96, -24, 20), (9, 9, 10), 48, 1),
    Ellipsoid((92, 30, -30), (6, 6, 7), 35, 1),
)
HEAD = Grid((28, 256, 208), (4.0, 0.9, 0.9))
BRAIN = (
    Ellipsoid((0, 0, 0), (78, 98, 88), 620),
    Ellipsoid((0, 0, 0), (73, 93, 83), 90),
    Ellipsoid((0, 0, 0), (67, 86, 77), 430),
    Ellipsoid((0, -2, -2), (52, 68, 58), 520),
    Ellipsoid((-14, -4, 4), (9, 32, 18), 130, 1),
    Ellipsoid((14, -4, 4), (9, 32, 18), 130, 1),
    Ellipsoid((34, -30, 14), (13, 11, 12), 760, 2),
    Ellipsoid((-36, 26, -8), (7, 6, 7), 750, 2),
)


def breast(rows: int = 720, columns: int = 560) -> NDArray[np.float32]:
    """A mammogram as a phantom: chest wall on the left, glandular tissue, one dense spot."""
    j, i = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    depth = 1 - (i / (0.82 * columns)) ** 2 - ((j - 0.52 * rows) / (0.46 * rows)) ** 2
    tissue = np.clip(depth, 0, None) ** 0.35
    random = np.random.default_rng(7)
    texture = np.zeros((rows, columns))
    for size, weight in ((160, 0.5), (64, 0.3), (24, 0.16), (8, 0.08)):
        coarse = random.normal(size=(rows // size + 3, columns // size + 3))
        texture += weight * _smooth(coarse, rows, columns, size)
    gland = np.exp(-(((i - 0.3 * columns) / 130) ** 2) - ((j - 0.52 * rows) / 190) ** 2)
    mass = np.exp(-((((i - 230) / 26) ** 2 + ((j - 300) / 22) ** 2) ** 1.6))
    return (4000 * np.clip(0.42 * tissue + 0.2 * tissue * gland * (1 + texture) + 0.2 * mass * tissue, 0, 1)).astype(
        np.float32
    )


def _smooth(coarse: NDArray[np.float64], rows: int, columns: int, size: int) -> NDArray[np.float64]:
    """Coarse values brought to full size, without steps."""
    y, x = np.arange(rows) / size, np.arange(columns) / size
    lines = np.stack([np.interp(x, np.arange(coarse.shape[1]), line) for line in coarse])
    return np.stack([np.interp(y, np.arange(coarse.shape[0]), column) for column in lines.T], axis=1)
