"""How the source's images are shown: what a presentation state must repeat, for it replaces what the images say.

A presentation state without a window means none (PS3.4 N.2), whatever windows the images have.
"""

from collections.abc import Iterator, Sequence

from highdicom.pr import SoftcopyVOILUTTransformation
from pydicom import Dataset
from pydicom.multival import MultiValue

from dicomnode.values import Frame

Window = tuple[float, float, str | None]
"""Centre, width and VOI LUT function."""


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


def softcopy_windows(placed: Sequence[tuple[Frame, Dataset]]) -> Iterator[Dataset]:
    """The windows of these frames, each with the frames it is for; no frames are named where one window serves all."""
    frames: dict[Window, list[Frame]] = {}
    for frame, header in placed:
        frames.setdefault(window(header, frame), []).append(frame)
    for (centre, width, function), alike in frames.items():
        item = SoftcopyVOILUTTransformation(window_center=centre, window_width=width, voi_lut_function=function)
        if len(frames) > 1:
            item.ReferencedImageSequence = referenced(alike)
        yield item


def window(header: Dataset, frame: Frame) -> Window:
    """The image's first window; without one, from its smallest to its largest value, else all that it can store."""
    voi = _group(header, frame, "FrameVOILUTSequence")
    if voi.get("WindowCenter") is not None and voi.get("WindowWidth") is not None:
        return _first(voi.WindowCenter), _first(voi.WindowWidth), voi.get("VOILUTFunction") or None
    lut, signed = modality_lut(header, frame), bool(header.get("PixelRepresentation"))
    bits = int(header.get("BitsStored") or 16)
    low = _stored(header, "SmallestImagePixelValue", -(1 << bits - 1) if signed else 0)
    high = _stored(header, "LargestImagePixelValue", (1 << bits - signed) - 1)
    slope, intercept = float(lut.get("RescaleSlope", 1)), float(lut.get("RescaleIntercept", 0))
    ends = (low * slope + intercept, high * slope + intercept)
    return sum(ends) / 2, max(abs(ends[1] - ends[0]), 1.0), None


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


def _stored(header: Dataset, keyword: str, otherwise: int) -> float:
    value = header.get(keyword)
    return float(otherwise) if value is None or isinstance(value, bytes) else _first(value)


def _first(value: object) -> float:
    return float(str(value[0] if isinstance(value, MultiValue | list) else value))
