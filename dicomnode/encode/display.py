"""How the source's images are shown: what a presentation state must repeat, for it replaces what the images say.

A presentation state without a window means none (PS3.4 N.2), whatever windows the images have.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from highdicom.pr import SoftcopyVOILUTTransformation
from pydicom import Dataset
from pydicom.multival import MultiValue

from dicomnode.values import Frame, Segmentation, Volume

Window = tuple[float, float, str | None]
"""Centre, width and VOI LUT function."""
Ends = tuple[float, float]
"""Smallest and largest real-world value."""


def modality_lut(header: Dataset, frame: Frame) -> Dataset:
    """The Modality LUT of one frame: a table, or slope and intercept (PS3.3 C.11.1)."""
    lut, place = Dataset(), _group(header, frame, "PixelValueTransformationSequence")
    if "ModalityLUTSequence" in place:
        lut.ModalityLUTSequence = place.ModalityLUTSequence
        return lut
    lut.RescaleIntercept, lut.RescaleSlope = place.get("RescaleIntercept") or 0, place.get("RescaleSlope") or 1
    lut.RescaleType = place.get("RescaleType") or "US"
    return lut


def presentation_lut_shape(header: Dataset) -> str:
    """INVERSE for images whose lowest value is white (PS3.3 C.11.6)."""
    return "INVERSE" if header.get("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"


def softcopy_windows(placed: Sequence[tuple[Frame, Dataset]], usual: Ends | None = None) -> Iterator[Dataset]:
    """The windows of these frames, each with the frames it is for; no frames are named where one window serves all."""
    frames: dict[Window, list[Frame]] = {}
    for frame, header in placed:
        frames.setdefault(window(header, frame, usual), []).append(frame)
    for (centre, width, function), alike in frames.items():
        item = SoftcopyVOILUTTransformation(window_center=centre, window_width=width, voi_lut_function=function)
        if len(frames) > 1:
            item.ReferencedImageSequence = referenced(alike)
        yield item


def usual_values(volume: Volume, answer: object) -> Ends | None:
    """Real-world values that the findings of an answer have, and as much room again on both sides, if known."""
    if not isinstance(answer, Segmentation):
        return None
    inside = volume.voxels[answer.labels > 0]
    inside = inside[np.isfinite(inside)]
    low, high = (float(value) for value in np.percentile(inside, [1, 99])) if inside.size else (0.0, 0.0)
    return (min(0.0, 2 * low - high), 2 * high - low) if high > low else None


def window(header: Dataset, frame: Frame, usual: Ends | None = None) -> Window:
    """The image's first window; else its smallest and largest value, else the usual ones, else all that it stores."""
    voi = _group(header, frame, "FrameVOILUTSequence")
    if voi.get("WindowCenter") is not None and voi.get("WindowWidth") is not None:
        return _first(voi.WindowCenter), _first(voi.WindowWidth), voi.get("VOILUTFunction") or None
    low, high = _extremes(header, modality_lut(header, frame), usual)
    return (low + high) / 2, max(high - low, 1.0), None


def _extremes(header: Dataset, lut: Dataset, usual: Ends | None) -> Ends:
    stored = [header.get(keyword) for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue")]
    if not all(isinstance(value, int) for value in stored):
        if usual is not None:
            return usual
        bits, signed = int(header.get("BitsStored") or 16), bool(header.get("PixelRepresentation"))
        stored = [-(1 << bits - 1) if signed else 0, (1 << bits - signed) - 1]
    slope, intercept = float(lut.get("RescaleSlope", 1)), float(lut.get("RescaleIntercept", 0))
    low, high = sorted(float(value) * slope + intercept for value in stored)
    return low, high


def referenced(frames: Sequence[Frame]) -> list[Dataset]:
    """References to these frames, those of one multi-frame instance as one."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for frame in frames:
        named = numbers.setdefault((frame.sop_class_uid, frame.sop_instance_uid), [])
        named += [] if frame.frame_number is None else [frame.frame_number]
    return [_reference(*uids, named) for uids, named in numbers.items()]


def _reference(sop_class_uid: str, sop_instance_uid: str, frames: list[int]) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    if frames:
        item.ReferencedFrameNumber = frames
    return item


def _group(header: Dataset, frame: Frame, sequence: str) -> Dataset:
    """Where a frame's attributes stand: in its own or the shared functional group, or in the image itself."""
    if "PerFrameFunctionalGroupsSequence" not in header:
        return header
    own = header.PerFrameFunctionalGroupsSequence[(frame.frame_number or 1) - 1]
    for groups in (own, header.SharedFunctionalGroupsSequence[0]):
        if groups.get(sequence):
            return Dataset(groups[sequence][0])
    return Dataset()


def _first(value: object) -> float:
    return float(str(value[0] if isinstance(value, MultiValue | list) else value))
