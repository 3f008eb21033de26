"""Whose result it is: patient, study and request as in the images received."""

import re
from collections.abc import Iterable, Iterator

from pydicom import Dataset

from dicomnode.encode.context import Encoded
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.standard import Visited
from dicomnode.encode.source import without_escapes
from dicomnode.encode.uids import UID_LENGTH, result_series_uid, result_uid

COPIED = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Attributes whose values must be the source's, whatever its character set."""

UID_FORM = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
"""PS3.5 9.1: components of digits without leading zeros."""


def identity_faults(expected: Expected) -> Iterator[str]:
    """What differs from the source's identity, and UIDs that are none."""
    for one in expected.encoded:
        for keyword in COPIED:
            if text(one.dataset, keyword) != text(expected.source, keyword):
                yield f"{one.role}: {keyword} is not the source's"
        yield from _own_faults(one, expected.run.run_key)
        for place, uid in uids(expected.visits(one)):
            if uid in expected.received_uids:
                continue
            if len(uid) > UID_LENGTH or not UID_FORM.fullmatch(uid):
                yield f"{one.role}: {place} is no UID: {uid!r} (PS3.5 9.1)"


def _own_faults(one: Encoded, run_key: str) -> Iterator[str]:
    """Our own UIDs follow from run and role, whatever root the site has: sent again, the same object."""
    for keyword, ours in (("SOPInstanceUID", result_uid), ("SeriesInstanceUID", result_series_uid)):
        digits = ours(run_key, one.role).rpartition(".")[2]
        if text(one.dataset, keyword).rpartition(".")[2] != digits:
            yield f"{one.role}: {keyword} does not follow from the run"


def text(dataset: Dataset, keyword: str) -> str:
    """A value as a reader sees it; an empty text where it is absent or empty."""
    value = dataset.get(keyword)
    return "" if value is None else without_escapes(str(value)).strip()


def uids(visited: Iterable[Visited]) -> Iterator[tuple[str, str]]:
    """Every UID in an object with its keyword, at any depth."""
    for element in (element for one in visited for element in one.elements.values() if element.VR == "UI"):
        values = element.value if element.VM > 1 else [element.value]
        yield from ((element.keyword, str(uid)) for uid in values if uid is not None)
