"""Text in pixels: cleaned by rule where a rule covers it, and refused where nobody can be sure.

Ultrasound and Secondary Capture images carry names in their pixels as a habit. An image that says so itself, or says
nothing, is let out only where a rule leaves nothing but picture: the ultrasound regions that it declares, or
rectangles that the site gives for a make of device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from dicomnode.errors import Permanent

SECONDARY = (
    "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.1", "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3", "1.2.840.10008.5.1.4.1.1.7.4",
)  # fmt: skip
"""Secondary Capture Image Storage, single- and multi-frame (PS3.4 B.5)."""
SUSPECT = ("US", "IVUS", "OT", "ES", "XC", "SC")
"""Modalities of devices that write text into the picture."""
PICTURES = (1, 2, 3, 4)
"""Region Spatial Format (0018,6012) of what is picture and not graphics (PS3.3 C.8.5.5.1.1)."""
WHOLE = 0.98
"""A region that covers more of the image than this leaves no place outside where text would be."""


class MayShowText(Permanent):
    """It cannot be made sure that an image's pixels show no text."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}: it is not exported. A rule for this make of device may cover it")


@dataclass(frozen=True)
class PixelRule:
    """Where one make of device writes text."""

    manufacturer: str
    model: str
    rows: int
    columns: int
    blank: tuple[tuple[int, int, int, int], ...]
    """Rectangles as first column, first row, last column, last row, from 0; none: it writes no text."""

    def fits(self, dataset: Dataset) -> bool:
        """Whether an image is of this make and size."""
        told = [str(dataset.get(word, "")).strip().casefold() for word in ("Manufacturer", "ManufacturerModelName")]
        same = told == [self.manufacturer.strip().casefold(), self.model.strip().casefold()]
        return same and (dataset.Rows, dataset.Columns) == (self.rows, self.columns)


def clean_pixels(dataset: Dataset, rules: Sequence[PixelRule] = ()) -> bool:
    """Blank what may be text, in place; whether that was called for.

    Raises:
        MayShowText: no rule covers the image.
    """
    rule = next((rule for rule in rules if rule.fits(dataset)), None)
    if rule is not None:
        _blank(dataset, _outside_of(dataset, rule))
        return True
    if not _is_suspect(dataset):
        return False
    if "SequenceOfUltrasoundRegions" in dataset:
        _blank(dataset, _outside_regions(dataset))
        return True
    raise MayShowText(_why(dataset))


def _is_suspect(dataset: Dataset) -> bool:
    told = str(dataset.get("BurnedInAnnotation", "")).strip().upper()
    if told == "YES":
        return True
    made = str(dataset.get("SOPClassUID", "")) in SECONDARY or str(dataset.get("Modality", "")) in SUSPECT
    return made and told != "NO"


def _why(dataset: Dataset) -> str:
    told = str(dataset.get("BurnedInAnnotation", "")).strip().upper()
    if told == "YES":
        return "the image says that text is burnt into its pixels"
    return "an ultrasound, endoscopy or secondary capture image that does not say whether text is burnt in"


def _outside_of(dataset: Dataset, rule: PixelRule) -> NDArray[np.bool_]:
    blank = np.zeros((dataset.Rows, dataset.Columns), bool)
    for left, top, right, bottom in rule.blank:
        blank[top : bottom + 1, left : right + 1] = True
    return blank


def _outside_regions(dataset: Dataset) -> NDArray[np.bool_]:
    """All but the declared regions that are picture."""
    keep = np.zeros((dataset.Rows, dataset.Columns), bool)
    for region in dataset.SequenceOfUltrasoundRegions:
        if int(region.get("RegionSpatialFormat", 0) or 0) in PICTURES:
            left, top = int(region.RegionLocationMinX0), int(region.RegionLocationMinY0)
            keep[
                max(top, 0) : int(region.RegionLocationMaxY1) + 1, max(left, 0) : int(region.RegionLocationMaxX1) + 1
            ] = True
    share = keep.mean()
    if not 0 < share <= WHOLE:
        raise MayShowText("its ultrasound regions are " + ("the whole image" if share else "no picture"))
    return ~keep


def _blank(dataset: Dataset, where: NDArray[np.bool_]) -> None:
    """Overwrite pixels of every frame; a compressed image is decompressed for it."""
    if not where.any():
        return
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress(generate_instance_uid=False)
    colours = int(dataset.get("SamplesPerPixel", 1))
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    planes = colours > 1 and int(dataset.get("PlanarConfiguration", 0)) == 1
    shape = (frames, colours, *where.shape) if planes else (frames, *where.shape, colours)
    values = _values(dataset, int(np.prod(shape))).reshape(shape)
    black = _black(dataset)
    for colour in range(colours):
        plane = values[:, colour] if planes else values[..., colour]
        plane[:, where] = black[colour] if colour < len(black) else 0
    content = values.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)


def _values(dataset: Dataset, count: int) -> NDArray[Any]:
    """The stored values of an uncompressed image."""
    bits = int(dataset.BitsAllocated)
    if bits not in (8, 16, 32) or len(dataset.PixelData) < count * bits // 8:
        raise MayShowText("its pixels are stored in a way that no rule can clean")
    return np.frombuffer(dataset.PixelData, np.dtype(f"<u{bits // 8}"), count).copy()


def _black(dataset: Dataset) -> tuple[int, ...]:
    """What black is stored as (PS3.3 C.7.6.3.1.2)."""
    kind = str(dataset.PhotometricInterpretation)
    if kind == "MONOCHROME1":
        return ((1 << int(dataset.BitsStored)) - 1,)
    if kind.startswith("YBR_FULL"):
        half = 1 << int(dataset.BitsStored) - 1
        return (0, half, half)
    return (0, 0, 0)
