"""What every object of one run shares."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from io import BytesIO

from pydicom import Dataset, dcmwrite

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.config.tables import Node
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


@dataclass(frozen=True)
class Encoded:
    """One result object and what it is within its run."""

    role: Role
    dataset: Dataset
    """Not to be changed once its content was asked for."""

    @cached_property
    def content(self) -> bytes:
        """The object as a DICOM Part 10 file (PS3.10 7), explicit VR little endian; written once."""
        buffer = BytesIO()
        dcmwrite(buffer, self.dataset, enforce_file_format=True)
        return buffer.getvalue()
