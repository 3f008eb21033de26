"""Why a series cannot become a volume: every reason has a name, and its message says the facts."""

from pydicom.config import IGNORE
from pydicom.uid import UID

from dicomnode.errors import SeriesRefused
from dicomnode.stack import (
    DuplicatePosition,
    MissingGeometry,
    MissingSlice,
    MixedMatrix,
    MixedOrientation,
    TiltedStack,
    UnevenSpacing,
)

__all__ = [
    "AbsurdBits",
    "DuplicatePosition",
    "EmptyImage",
    "FrameCountMismatch",
    "MissingGeometry",
    "MissingSlice",
    "MixedFramesOfReference",
    "MixedMatrix",
    "MixedOrientation",
    "NoPixels",
    "SeveralImages",
    "TiltedStack",
    "TooLarge",
    "UndecodablePixels",
    "UnevenSpacing",
    "UnreadableInstance",
    "UnusableRescale",
]


class UnreadableInstance(SeriesRefused):
    """A stored file cannot be read as DICOM."""

    def __init__(self, sop_instance_uid: str, reason: str) -> None:
        super().__init__(f"instance {sop_instance_uid} cannot be read: {reason}")
        self.sop_instance_uid, self.reason = sop_instance_uid, reason


class NoPixels(SeriesRefused):
    """An instance is no image."""

    def __init__(self, sop_instance_uid: str) -> None:
        super().__init__(f"instance {sop_instance_uid} has no pixel data")
        self.sop_instance_uid = sop_instance_uid


class MixedFramesOfReference(SeriesRefused):
    """Images of one series lie in different coordinate systems."""

    def __init__(self, count: int) -> None:
        super().__init__(f"the series has {count} frames of reference: its images cannot be placed in one volume")
        self.count = count


class EmptyImage(SeriesRefused):
    """An image has no rows or no columns."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__(f"the image has {rows} rows and {columns} columns")
        self.rows, self.columns = rows, columns


class AbsurdBits(SeriesRefused):
    """Bits Allocated and Bits Stored cannot describe a pixel."""

    def __init__(self, allocated: int, stored: int) -> None:
        super().__init__(f"{stored} bits stored in {allocated} allocated cannot describe a pixel")
        self.allocated, self.stored = allocated, stored


class FrameCountMismatch(SeriesRefused):
    """Number of Frames is not the number of frames there are."""

    def __init__(self, claimed: int, found: int) -> None:
        super().__init__(f"Number of Frames says {claimed}, the data holds {found}")
        self.claimed, self.found = claimed, found


class TooLarge(SeriesRefused):
    """An image claims more pixels than its data can hold, or than a volume may have."""

    def __init__(self, claimed: int, limit: int) -> None:
        super().__init__(f"the image claims {claimed} bytes of pixels; at most {limit} are believed or held")
        self.claimed, self.limit = claimed, limit


class UndecodablePixels(SeriesRefused):
    """The pixel data cannot be decoded."""

    def __init__(self, transfer_syntax_uid: str, reason: str) -> None:
        self.transfer_syntax, self.reason = UID(transfer_syntax_uid, IGNORE).name or "unknown", reason
        super().__init__(f"pixels in transfer syntax {self.transfer_syntax} cannot be decoded: {reason}")


class UnusableRescale(SeriesRefused):
    """The stored values cannot be turned into real-world ones."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SeveralImages(SeriesRefused):
    """A model that takes one image was given several."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} images (or frames) where the model takes one")
        self.count = count
