"""Opening the stored instances of a series: headers in memory, pixels left on disk.

pydicom warns of every oddity it meets; here each is either a named refusal or of no consequence.
"""

import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicomnode.index.element_text import MALFORMED, element_text
from dicomnode.values import Instance
from dicomnode.volume.refusals import TooLarge, UnreadableInstance

DEFER_BYTES = 1 << 10
"""Larger values stay on disk until they are asked for."""
INFLATED_BYTES = 1 << 30
"""A deflated data set that grows beyond this is refused."""


@dataclass(frozen=True, eq=False)
class Source:
    """One stored instance, opened."""

    instance: Instance
    dataset: Dataset
    """Without pixel data in memory."""

    @property
    def path(self) -> Path:
        """The DICOM Part 10 file."""
        return self.instance.path

    @property
    def transfer_syntax_uid(self) -> str:
        """As the file says, or as the instance was received."""
        meta = getattr(self.dataset, "file_meta", None)
        return (element_text(meta, 0x00020010, ["ascii"]) if meta else "") or self.instance.transfer_syntax_uid

    def text(self, keyword: str) -> str:
        """A coded string or UID of the data set; empty where absent."""
        return element_text(self.dataset, _tag(keyword), ["ascii"])

    def numbers(self, keyword: str, dataset: Dataset | None = None) -> tuple[float, ...]:
        """Values of a numeric attribute of the data set (or of an item); empty where absent or not numeric."""
        return numbers_of(self.dataset if dataset is None else dataset, keyword)

    def whole(self, keyword: str, default: int = 0) -> int:
        """First value of a whole-number attribute."""
        values = self.numbers(keyword)
        return int(values[0]) if values and math.isfinite(values[0]) else default


def opened(instance: Instance) -> Source:
    """Read one instance's header.

    Raises:
        UnreadableInstance: no DICOM file, or a broken one.
        TooLarge: a deflated data set that inflates beyond reason.
    """
    try:
        deflated = instance.transfer_syntax_uid == DeflatedExplicitVRLittleEndian
        if deflated:
            require_bounded_inflation(instance.path)
        with quiet():
            return Source(instance, dcmread(instance.path, defer_size=None if deflated else DEFER_BYTES, force=True))
    except (*MALFORMED, zlib.error) as fault:
        raise UnreadableInstance(instance.sop_instance_uid, _words(fault)) from fault


def numbers_of(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Values of a numeric attribute; empty where absent or not numeric."""
    text = element_text(dataset, _tag(keyword), ["ascii"])
    try:
        return tuple(float(part) for part in text.split("\\")) if text else ()
    except ValueError:
        return ()


def require_bounded_inflation(path: Path, *, limit_bytes: int = INFLATED_BYTES) -> None:
    """Inflate a deflated data set piece by piece, keeping nothing, and refuse one that never ends.

    Source: PS3.5 A.5 (the deflated stream follows group 0002).
    """
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(140)
        file.seek(144 + int.from_bytes(file.read(4), "little"))
        while piece := inflater.unconsumed_tail or file.read(1 << 16):
            total += len(inflater.decompress(piece, 1 << 20))
            if total > limit_bytes:
                raise TooLarge(total, limit_bytes)
            if inflater.eof:
                return


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that pydicom warns of is printed or raised inside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _tag(keyword: str) -> int:
    return tag_for_keyword(keyword) or 0


def _words(fault: BaseException) -> str:
    """The fault without values of the data set, which may name a patient."""
    return type(fault).__name__
