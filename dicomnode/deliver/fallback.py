"""The SR again as Comprehensive SR, for a destination that refuses Comprehensive 3D SR at negotiation.

The two IODs differ in SCOORD3D alone (PS3.3 A.35.3, A.35.13): a document without it is the same under either
class. The copy has UIDs of its own that follow from the original's, and a series of its own.
"""

import uuid
from collections.abc import Callable, Iterator
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicomnode.deliver.outbox import OutboxObject
from dicomnode.values import Role

NAMESPACE = uuid.UUID("7a1b9d52-0f6e-5c0b-8f67-3c8f1f0f5e2d")
"""Name space of the UIDs of fallbacks (RFC 9562, version 5)."""

UID_LENGTH = 64
"""Longest UID (PS3.5 9.1)."""


def fallback_uid(uid: str) -> str:
    """The UID that stands for another one in a fallback, under the same root where there is room (PS3.5 B.2)."""
    number = uuid.uuid5(NAMESPACE, uid).int
    under_root = f"{uid.rpartition('.')[0]}.{number}"
    return under_root if len(under_root) <= UID_LENGTH else f"2.25.{number}"


def can_fall_back(content: bytes) -> bool:
    """Whether a Comprehensive 3D SR is legal as Comprehensive SR: it has no SCOORD3D."""
    document = dcmread(BytesIO(content))
    return document.SOPClassUID == Comprehensive3DSRStorage and "SCOORD3D" not in _value_types(document)


def fallback_of(content: bytes, is_known: Callable[[str], bool]) -> OutboxObject:
    """A Comprehensive 3D SR as Comprehensive SR.

    Args:
        content: the DICOM file of a document that `can_fall_back`.
        is_known: whether a UID is one of our results; a predecessor that has a fallback is named by it.
    """
    document = dcmread(BytesIO(content))
    for reference, series in _predecessors(document):
        if is_known(fallback_uid(reference.ReferencedSOPInstanceUID)):
            series.SeriesInstanceUID = fallback_uid(series.SeriesInstanceUID)
            _relabel(reference, "ReferencedSOP")
    document.SeriesInstanceUID = fallback_uid(document.SeriesInstanceUID)
    _relabel(document, "SOP")
    _relabel(document.file_meta, "MediaStorageSOP")
    return OutboxObject(
        role=Role.SR_FALLBACK,
        sop_class_uid=ComprehensiveSRStorage,
        sop_instance_uid=document.SOPInstanceUID,
        series_uid=document.SeriesInstanceUID,
        study_uid=document.StudyInstanceUID,
        transfer_syntax_uid=document.file_meta.TransferSyntaxUID,
        content=_file(document),
    )


def _relabel(item: Dataset, prefix: str) -> None:
    """Give a data set's class and instance UID the values of the fallback."""
    setattr(item, f"{prefix}ClassUID", ComprehensiveSRStorage)
    setattr(item, f"{prefix}InstanceUID", UID(fallback_uid(item[f"{prefix}InstanceUID"].value)))


def _value_types(item: Dataset) -> set[str]:
    """Value Types (0040,A040) of a content item and all below it."""
    found = {str(item.get("ValueType", ""))}
    for child in item.get("ContentSequence", ()):
        found |= _value_types(child)
    return found


def _predecessors(document: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """Each reference to a 3D SR in the Predecessor Documents Sequence (0040,A360), with its series item."""
    for study in document.get("PredecessorDocumentsSequence", ()):
        for series in study.get("ReferencedSeriesSequence", ()):
            for reference in series.get("ReferencedSOPSequence", ()):
                if reference.ReferencedSOPClassUID == Comprehensive3DSRStorage:
                    yield reference, series


def _file(document: Dataset) -> bytes:
    buffer = BytesIO()
    document.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
