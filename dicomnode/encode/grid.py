"""The grid of a multi-frame result: its spacing, and the dimensions of its frames."""

import numpy as np
from highdicom import PixelMeasuresSequence
from pydicom import Dataset

from dicomnode.encode.context import Context
from dicomnode.encode.source import slice_gap_mm
from dicomnode.encode.uids import derived_uid
from dicomnode.values import Role, Volume


def pixel_measures(context: Context, volume: Volume) -> PixelMeasuresSequence:
    """Spacing of the volume's own grid, and the source's slice thickness (PS3.3 C.7.6.16.2.1)."""
    gap_mm = slice_gap_mm(volume)
    return PixelMeasuresSequence(
        pixel_spacing=spacing_mm(volume),
        slice_thickness=_thickness_mm(context.source) or gap_mm,
        spacing_between_slices=gap_mm,
    )


def spacing_mm(volume: Volume) -> tuple[float, float]:
    """Distance between rows, and between columns."""
    row_mm, column_mm = (float(np.linalg.norm(volume.affine_lps[:3, axis])) for axis in (1, 0))
    return row_mm, column_mm


def settle_dimensions(dataset: Dataset, context: Context, role: Role) -> None:
    """Give the dimension organization, for which highdicom draws a random UID, one that follows from the run."""
    uid = derived_uid("dimensions", context.run.run_key, role, root=context.node.uid_root)
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _thickness_mm(source: Dataset) -> float:
    """Slice Thickness of a single-frame or enhanced image, 0 where it has none."""
    shared = source.get("SharedFunctionalGroupsSequence")
    holder = shared[0].get("PixelMeasuresSequence", [Dataset()])[0] if shared else source
    return float(holder.get("SliceThickness") or 0.0)
