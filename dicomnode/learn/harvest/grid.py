"""The grid of a source series without its pixels: the very one that `volume.build_volume` gives."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicomnode.bundles.dicom_toml import SeriesRules
from dicomnode.errors import SeriesRefused
from dicomnode.stack import Plane, require_even_gaps, require_one_grid, require_upright, stack_of
from dicomnode.values import Frame, Series, Volume
from dicomnode.volume.build import affine_lps, require_one_frame_of_reference
from dicomnode.volume.claims import require_sane_claims
from dicomnode.volume.frames import ImageFrame, frames_of, plane_of_frame, thickness_mm
from dicomnode.volume.read import opened
from dicomnode.volume.refusals import MissingGeometry, NoPixels, SeveralImages

MAX_VOXELS = 2 << 30
"""Of a label map."""


class DrawingRefused(SeriesRefused):
    """A drawing cannot be laid on the images it was made on."""

    def __init__(self, words: str, *, missing: bool = False) -> None:
        super().__init__(words)
        self.missing = missing
        """Images are not here, and may yet come."""


@dataclass(frozen=True)
class SourceGrid:
    """Where the voxels of a series lie."""

    series_uid: str
    frames: tuple[Frame, ...]
    """One for each slice, ascending along the normal, as in `values.Volume`."""
    planes: tuple[Plane, ...]
    """Where each slice itself lies; empty without geometry."""
    rows: int
    columns: int
    affine_lps: NDArray[np.float64]
    """4×4, from index (column i, row j, slice k, 1) to LPS mm; the identity without geometry."""
    frame_of_reference_uid: str
    """Empty without geometry."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slice, row, column)."""
        return len(self.frames), self.rows, self.columns

    @property
    def digest(self) -> str:
        """What tells this grid from any other, hex; equal to `volume_digest` of its volume."""
        return _digest(self.frames, self.shape)

    @property
    def has_geometry(self) -> bool:
        """Whether positions in the patient are known."""
        return bool(self.planes)


def source_grid(series: Series, rules: SeriesRules) -> SourceGrid:
    """The grid that a model works on.

    Raises:
        SeriesRefused: what `build_volume` would raise; or the label map would be too large.

    Source: PS3.3 C.7.6.2.1.1, C.7.6.16.
    """
    sources = [opened(instance) for instance in series.instances]
    if not sources:
        raise NoPixels(series.series_uid)
    for source in sources:
        require_sane_claims(source)
    frames = [frame for source in sources for frame in frames_of(source)]
    _require_small(frames)
    return _image(series, frames) if rules.dimensions == 2 else _stacked(series, frames, rules)


def volume_digest(volume: Volume) -> str:
    """The same digest of a volume that was built."""
    slices, rows, columns = volume.voxels.shape
    return _digest(volume.frames, (slices, rows, columns))


def _stacked(series: Series, frames: list[ImageFrame], rules: SeriesRules) -> SourceGrid:
    planes = [plane_of_frame(frame) for frame in frames]
    uid = require_one_frame_of_reference(frame.source for frame in frames)
    require_one_grid(planes)
    stack = stack_of(planes)
    require_even_gaps(stack, uneven_mm=rules.geometry.uneven_mm)
    require_upright(stack, max_tilt_deg=rules.geometry.max_tilt_deg)
    ordered = [frames[n] for n in stack.order]
    affine = affine_lps(stack, thickness_mm(ordered[0]))
    rows, columns = planes[0].rows, planes[0].columns
    origins = tuple(frame.origin for frame in ordered)
    return SourceGrid(series.series_uid, origins, stack.planes, rows, columns, affine, uid)


def _image(series: Series, frames: list[ImageFrame]) -> SourceGrid:
    if len(frames) != 1:
        raise SeveralImages(len(frames))
    (frame,) = frames
    rows, columns = frame.source.whole("Rows"), frame.source.whole("Columns")
    uid = frame.source.text("FrameOfReferenceUID")
    try:
        plane = plane_of_frame(frame)
    except MissingGeometry:
        plane = None
    if plane is None or not uid:
        return SourceGrid(series.series_uid, (frame.origin,), (), rows, columns, np.eye(4), "")
    affine = affine_lps(stack_of([plane]), thickness_mm(frame))
    return SourceGrid(series.series_uid, (frame.origin,), (plane,), rows, columns, affine, uid)


def _require_small(frames: Sequence[ImageFrame]) -> None:
    voxels = len(frames) * frames[0].source.whole("Rows") * frames[0].source.whole("Columns")
    if voxels > MAX_VOXELS:
        raise DrawingRefused(f"a label map of {voxels} voxels is too large: at most {MAX_VOXELS}")


def _digest(frames: Sequence[Frame], shape: tuple[int, int, int]) -> str:
    """Of the images in their order: each image fixes its place, and a stack has one order alone."""
    told = [[frame.sop_instance_uid, frame.frame_number or 0] for frame in frames]
    return hashlib.sha256(json.dumps([told, list(shape)]).encode()).hexdigest()
