"""Building a volume from the stored images of one series, by their geometry."""

from collections.abc import Iterable
from contextlib import nullcontext
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from dicomnode.bundles.dicom_toml import Geometry, SeriesRules
from dicomnode.stack import Stack, require_even_gaps, require_one_grid, require_upright, stack_of
from dicomnode.values import Series, Volume
from dicomnode.volume.claims import require_sane_claims
from dicomnode.volume.decoder import Decoder
from dicomnode.volume.frames import ImageFrame, frames_of, plane_of_frame, thickness_mm
from dicomnode.volume.pixels import stored_frames
from dicomnode.volume.read import Source, opened
from dicomnode.volume.real_values import fill_padding, notes_of, real_values
from dicomnode.volume.refusals import MissingGeometry, MixedFramesOfReference, NoPixels, SeveralImages, TooLarge

MAX_VOLUME_BYTES = 8 << 30
"""A volume that would be larger is refused."""
PIXEL_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
"""Where a projection image may give its pixel size, best first (PS3.3 10.7.1.3)."""


def build_volume(series: Series, rules: SeriesRules, *, decoder: Decoder | None = None) -> Volume:
    """The real-world values of one series on its own grid.

    Args:
        series: the instances to stack, in any order; one for a model that takes one image.
        rules: of the model: how many dimensions it takes and which geometry it tolerates.
        decoder: one that the caller keeps open, so that the next compressed series need not start its process.

    Returns:
        voxels (slice, row, column), float32, slices ascending along the normal; affine to LPS mm.

    Raises:
        SeriesRefused: a subclass of `dicomnode.volume.refusals` that names what is wrong.

    Source: PS3.3 C.7.6.2.1.1 (position and orientation), C.7.6.16 (functional groups), C.11.1 (rescale).
    """
    sources = [opened(instance) for instance in series.instances]
    if not sources:
        raise NoPixels(series.series_uid)
    for source in sources:
        require_sane_claims(source)
    frames = [frame for source in sources for frame in frames_of(source)]
    with nullcontext(decoder) if decoder else Decoder() as open_decoder:
        if rules.dimensions == 2:
            return _image(series, frames, open_decoder)
        return _stacked(series, frames, rules.geometry, open_decoder)


def require_one_frame_of_reference(sources: Iterable[Source]) -> str:
    """The Frame of Reference UID that all images share (PS3.3 C.7.4.1)."""
    uids = {source.text("FrameOfReferenceUID") for source in sources}
    if len(uids) > 1:
        raise MixedFramesOfReference(len(uids))
    (uid,) = uids
    if not uid:
        raise MissingGeometry("FrameOfReferenceUID")
    return uid


def _stacked(series: Series, frames: list[ImageFrame], limits: Geometry, decoder: Decoder) -> Volume:
    planes = [plane_of_frame(frame) for frame in frames]
    reference_uid = require_one_frame_of_reference(frame.source for frame in frames)
    require_one_grid(planes)
    stack = stack_of(planes)
    require_even_gaps(stack, uneven_mm=limits.uneven_mm)
    require_upright(stack, max_tilt_deg=limits.max_tilt_deg)
    voxels, notes = _voxels(frames, stack.order, decoder, inverts=False)
    return Volume(
        voxels=voxels,
        affine_lps=affine_lps(stack, thickness_mm(frames[stack.order[0]])),
        frames=tuple(frames[n].origin for n in stack.order),
        series_uid=series.series_uid,
        frame_of_reference_uid=reference_uid,
        has_geometry=True,
        notes=notes,
    )


def _image(series: Series, frames: list[ImageFrame], decoder: Decoder) -> Volume:
    if len(frames) != 1:
        raise SeveralImages(len(frames))
    voxels, notes = _voxels(frames, (0,), decoder, inverts=True)
    affine, reference_uid = _image_affine(frames[0])
    return Volume(
        voxels=voxels,
        affine_lps=affine,
        frames=(frames[0].origin,),
        series_uid=series.series_uid,
        frame_of_reference_uid=reference_uid,
        has_geometry=reference_uid is not None,
        notes=notes,
    )


def _voxels(
    frames: list[ImageFrame], order: tuple[int, ...], decoder: Decoder, *, inverts: bool
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Values of all frames in stacking order, and notes on them; one image is decoded at a time."""
    slot = {id(frames[n]): k for k, n in enumerate(order)}
    voxels = _room_for(frames)
    notes: dict[str, None] = {}
    for source, own in groupby(frames, key=lambda frame: frame.source):
        for frame, stored in zip(own, stored_frames(source, decoder), strict=True):
            voxels[slot[id(frame)]] = real_values(stored, frame, inverts=inverts)
        notes |= dict.fromkeys(notes_of(source, inverts=inverts))
    padded = fill_padding(voxels)
    if padded is not None:
        notes[f"pixel padding set to {padded:g}"] = None
    return voxels, tuple(notes)


def _room_for(frames: list[ImageFrame]) -> NDArray[np.float32]:
    rows, columns = frames[0].source.whole("Rows"), frames[0].source.whole("Columns")
    wanted = len(frames) * rows * columns * 4
    if wanted > MAX_VOLUME_BYTES:
        raise TooLarge(wanted, MAX_VOLUME_BYTES)
    return np.empty((len(frames), rows, columns), dtype=np.float32)


def affine_lps(stack: Stack, single_thickness_mm: float) -> NDArray[np.float64]:
    """4×4 from index (column i, row j, slice k, 1) to LPS mm; one slice alone is as thick as it says."""
    first = stack.planes[0]
    step = stack.step_mm * (single_thickness_mm if len(stack.planes) == 1 else 1.0)
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(first.orientation[:3]) * first.spacing_mm[1]
    affine[:3, 1] = np.asarray(first.orientation[3:]) * first.spacing_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position_mm
    return affine


def _image_affine(frame: ImageFrame) -> tuple[NDArray[np.float64], str | None]:
    """From geometry where the image has any (a CT slice), else pixel spacing alone."""
    reference_uid = frame.source.text("FrameOfReferenceUID")
    try:
        plane = plane_of_frame(frame)
    except MissingGeometry:
        plane = None
    if plane is not None and reference_uid:
        return affine_lps(stack_of([plane]), thickness_mm(frame)), reference_uid
    rows_mm, columns_mm = _pixel_spacing(frame)
    return np.diag([columns_mm, rows_mm, 1.0, 1.0]), None


def _pixel_spacing(frame: ImageFrame) -> tuple[float, float]:
    for keyword in PIXEL_SPACINGS:
        values = frame.numbers("PixelMeasuresSequence", keyword)
        if len(values) == 2 and min(values) > 0:
            return values[0], values[1]
    return 1.0, 1.0
