"""Frames of the images of a series, and where each lies.

An enhanced multi-frame image keeps what differs between frames in functional groups (PS3.3 C.7.6.16); a
single-frame image keeps it at the top. Here both are frames.
"""

from dataclasses import dataclass

from pydicom import Dataset

from dicomnode.index.headers import items_of
from dicomnode.stack import Plane, plane_of
from dicomnode.values import Frame
from dicomnode.volume.read import Source, numbers_of
from dicomnode.volume.refusals import FrameCountMismatch, MissingGeometry


@dataclass(frozen=True)
class ImageFrame:
    """One frame of one stored image."""

    source: Source
    index: int
    """0-based, within the image."""
    groups: tuple[Dataset, ...]
    """Its functional groups, then the shared ones; none for a single-frame image."""

    def numbers(self, sequence: str, keyword: str) -> tuple[float, ...]:
        """A numeric attribute: of the frame's own group, else of the shared one, else of the image."""
        for group in self.groups:
            for item in items_of(group, sequence):
                if values := numbers_of(item, keyword):
                    return values
        return self.source.numbers(keyword)

    @property
    def origin(self) -> Frame:
        """The same in the words that travel on."""
        multi_frame = bool(self.groups) or self.source.whole("NumberOfFrames", 1) > 1
        instance = self.source.instance
        number = self.index + 1 if multi_frame else None
        return Frame(instance.sop_instance_uid, instance.sop_class_uid, number, instance.path)


def frames_of(source: Source) -> list[ImageFrame]:
    """All frames of one image, in stored order.

    Raises:
        FrameCountMismatch: the functional groups are of another number than Number of Frames.
    """
    count = source.whole("NumberOfFrames", 1)
    shared = items_of(source.dataset, "SharedFunctionalGroupsSequence")[:1]
    own = items_of(source.dataset, "PerFrameFunctionalGroupsSequence")
    if own and len(own) != count:
        raise FrameCountMismatch(count, len(own))
    return [ImageFrame(source, n, (*own[n : n + 1], *shared)) for n in range(count)]


def plane_of_frame(frame: ImageFrame) -> Plane:
    """Where a frame lies.

    Raises:
        MissingGeometry: it does not say, or it is one of several frames that share one position.
    """
    position = frame.numbers("PlanePositionSequence", "ImagePositionPatient")
    orientation = frame.numbers("PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = frame.numbers("PixelMeasuresSequence", "PixelSpacing")
    if not frame.groups and frame.source.whole("NumberOfFrames", 1) > 1:
        raise MissingGeometry("PerFrameFunctionalGroupsSequence")
    return plane_of(position, orientation, spacing, (frame.source.whole("Rows"), frame.source.whole("Columns")))


def thickness_mm(frame: ImageFrame) -> float:
    """Slice Thickness, or Spacing Between Slices, or 1 mm where neither is given."""
    for keyword in ("SliceThickness", "SpacingBetweenSlices"):
        values = frame.numbers("PixelMeasuresSequence", keyword)
        if values and values[0] > 0:
            return values[0]
    return 1.0
