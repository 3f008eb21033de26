"""Where the frames of a segmentation lie on the grid of the images: by geometry alone, exact to the voxel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicomnode.learn.harvest.grid import DrawingRefused, SourceGrid
from dicomnode.stack import Plane

OFF_VOXELS = 0.1
"""A frame whose pixels lie farther from the grid's is on no grid of ours."""


@dataclass(frozen=True)
class Placing:
    """Where a frame's pixels lie: pixel (row r, column c) is voxel origin + c × along_columns + r × along_rows."""

    origin: NDArray[np.int64]
    """(column i, row j, slice k) of the first pixel."""
    along_columns: NDArray[np.int64]
    """Step (i, j, k) from one column to the next."""
    along_rows: NDArray[np.int64]

    def voxels(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Voxels (slice, row, column), one a line, of pixels of the frame."""
        at = self.origin + columns[:, None] * self.along_columns + rows[:, None] * self.along_rows
        return np.asarray(at[:, ::-1])


def placing(grid: SourceGrid, plane: Plane) -> Placing:
    """Where the pixels of a plane lie on a grid; mirrored, turned and cut-out planes are understood.

    Raises:
        DrawingRefused: its pixels are no voxels of the grid.

    Source: PS3.3 C.7.6.2.1.1 equation C.7.6.2.1-1.
    """
    inverse: NDArray[np.float64] = np.asarray(np.linalg.inv(grid.affine_lps), dtype=np.float64)
    turned = inverse[:3, :3]
    steps = [turned @ (np.asarray(plane.orientation[:3]) * plane.spacing_mm[1])]
    steps += [turned @ (np.asarray(plane.orientation[3:]) * plane.spacing_mm[0])]
    whole = [np.rint(step).astype(np.int64) for step in steps]
    extents = (plane.columns - 1, plane.rows - 1)
    drift = max(float(np.abs(step - to).max()) * extent for step, to, extent in zip(steps, whole, extents, strict=True))
    if any(np.abs(to).sum() != 1 for to in whole) or abs(int(whole[0] @ whole[1])) or drift > OFF_VOXELS:
        raise DrawingRefused(
            f"its pixels ({plane.size}) are not those of the images ({grid.planes[0].size}), or turned"
        )
    first = _first_voxel(grid, plane, inverse, in_slice=not (whole[0][2] or whole[1][2]))
    origin = np.rint(first).astype(np.int64)
    if float(np.abs(first - origin).max()) > OFF_VOXELS:
        raise DrawingRefused(f"its slices lie {_off(first - origin)} voxels off those of the images")
    return Placing(origin, whole[0], whole[1])


def _first_voxel(
    grid: SourceGrid, plane: Plane, inverse: NDArray[np.float64], *, in_slice: bool
) -> NDArray[np.float64]:
    """Index (i, j, k) of a plane's first pixel.

    A plane parallel to the slices is measured from the slice that is nearest, since slices may be a little uneven.
    """
    position = np.asarray(plane.position_mm)
    if not in_slice or len(grid.planes) == 1:
        return np.asarray((inverse @ [*position, 1.0])[:3])
    normal = grid.planes[0].normal
    away = [float((position - np.asarray(one.position_mm)) @ normal) for one in grid.planes]
    k = int(np.argmin(np.abs(away)))
    within = inverse[:3, :3] @ (position - np.asarray(grid.planes[k].position_mm))
    return np.asarray(within + np.array((0.0, 0.0, k)))


def _off(distance: NDArray[np.float64]) -> str:
    return f"{float(np.abs(distance).max()):.2f}"
