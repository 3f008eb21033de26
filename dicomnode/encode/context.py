"""What every object of one run shares."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import BytesIO

from pydicom import DataElement, Dataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.config.tables import Node
from dicomnode.encode import language
from dicomnode.encode.source import Sources
from dicomnode.values import Instance, Role, Run


@dataclass(frozen=True)
class Context:
    """One run, the images it read and the moment its results are dated."""

    run: Run
    rules: DicomToml
    node: Node
    made_at: datetime
    sources: Sources
    """Headers of the images read; the first gives patient and study."""
    instances: tuple[Instance, ...]
    """The images read, or that could not be; every one is evidence."""

    @property
    def source(self) -> Dataset:
        """The image that patient, study and request are copied from."""
        return self.sources.headers[0]

    @property
    def description(self) -> str:
        """Series Description of every result (LO: at most 64 characters)."""
        return f"AI result, not verified: {self.rules.model.title}"[:64]

    def say(self, words: str, **facts: object) -> str:
        """A sentence of ours, written here in English with placeholders, in the site's language."""
        return language.said(self.node.language, words, **facts)

    def number(self, value: float, digits: int = 0) -> str:
        """A number as the site's readers write it."""
        return language.number(self.node.language, value, digits)

    def percent(self, probability: float, uncertainty: float | None = None) -> str:
        """A probability as the site's readers write it."""
        return language.percent(self.node.language, probability, uncertainty)

    def hear(self, words: str) -> str:
        """What dicom.toml or another room says in English, in the site's language where that is known."""
        told = self.heard(words)
        return words if told is None else told

    def heard(self, words: str) -> str | None:
        """The same; None where it is known in English alone."""
        return language.heard(self.node.language, words, self.rules.translations.get(self.node.language))

    def joined(self, sentences: Iterable[str]) -> str:
        """Sentences one after the other."""
        return language.joined(self.node.language, sentences)

    def listed(self, names: Iterable[str]) -> str:
        """Names one after the other."""
        return language.listed(self.node.language, names)


@dataclass(frozen=True)
class Encoded:
    """One result object and what it is within its run."""

    role: Role
    dataset: Dataset
    """Not to be changed once its content was asked for."""

    @cached_property
    def content(self) -> bytes:
        """The object as a DICOM Part 10 file (PS3.10 7), in its own transfer syntax; written once."""
        last = self.dataset[max(self.dataset.keys())]
        if not _is_plain(last, self.dataset):
            return _written(self.dataset)
        length = len(last.value) + len(last.value) % 2
        head = struct.pack("<HH2s2xI", last.tag.group, last.tag.element, last.VR.encode(), length)
        return b"".join((_written(_without(last, self.dataset)), head, last.value, b"\0" * (len(last.value) % 2)))


def _is_plain(last: DataElement, dataset: Dataset) -> bool:
    """Whether an object ends with pixels as they are: dcmwrite would copy them twice on the way."""
    is_native = dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    return is_native and last.VR in ("OB", "OW", "OF") and isinstance(last.value, bytes) and last.tag.group == 0x7FE0


def _without(last: DataElement, dataset: Dataset) -> Dataset:
    """The same elements but one, with the same file meta information."""
    rest = Dataset({tag: element for tag, element in dataset.items() if tag != last.tag})
    rest.file_meta = dataset.file_meta
    return rest


def _written(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
