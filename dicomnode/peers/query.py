"""C-FIND: what a peer holds (PS3.4 Annex C, Study Root)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRootFind

from dicomnode.index.element_text import element_text, encodings_of
from dicomnode.peers.associate import association
from dicomnode.peers.remote import Remote
from dicomnode.peers.statuses import PENDING, SUCCESS, answered, failure
from dicomnode.values import Header

PATIENT_KEYS = ("PatientID", "PatientBirthDate", "PatientSex")
STUDY_KEYS = ("StudyDate", "StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")
SERIES_KEYS = ("Modality", "SeriesDescription", "SeriesNumber", "BodyPartExamined", "NumberOfSeriesRelatedInstances")
LONGEST_DAYS = 3660
"""Most days that one look goes back."""


@dataclass(frozen=True)
class StudyFound:
    """A study that a peer holds."""

    study_uid: str
    header: Header
    """What the peer told of it: STUDY_KEYS that have a value."""


@dataclass(frozen=True)
class SeriesFound:
    """A series that a peer holds."""

    series_uid: str
    instances: int | None
    """Number of Series Related Instances (0020,1209); None where the peer does not tell."""
    header: Header
    """What the peer told of it: SERIES_KEYS that have a value."""


def series_counts(remote: Remote, study_uid: str) -> dict[str, int] | None:
    """Number of Series Related Instances (0020,1209) by series UID; None where the peer does not tell.

    Raises:
        PeerUnavailable, PeerRefused: as every query.
    """
    counts = {series.series_uid: series.instances for series in series_of(remote, study_uid)}
    known = {uid: count for uid, count in counts.items() if count is not None}
    return known if len(known) == len(counts) else None


def series_of(remote: Remote, study_uid: str) -> tuple[SeriesFound, ...]:
    """The series of one study."""
    answers = _find(remote, "SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": "", **_empty(SERIES_KEYS)})
    return tuple(
        SeriesFound(_text(answer, "SeriesInstanceUID"), _count(answer), _header(answer, SERIES_KEYS))
        for answer in answers
        if _text(answer, "SeriesInstanceUID")
    )


def studies_since(remote: Remote, day_from: date, day_to: date) -> tuple[StudyFound, ...]:
    """The studies of some days, both included; asked for day by day, since peers limit an answer's length.

    Raises:
        ValueError: the first day lies after the last, or more than ten years before it.
    """
    days = (day_to - day_from).days
    if not 0 <= days <= LONGEST_DAYS:
        raise ValueError(f"{day_from} to {day_to} is no span of 1 to {LONGEST_DAYS} days")
    found: dict[str, StudyFound] = {}
    for n in range(days + 1):
        day = f"{day_from + timedelta(n):%Y%m%d}"
        keys = {**_empty(STUDY_KEYS), "StudyDate": day, "StudyInstanceUID": ""}
        for answer in _find(remote, "STUDY", keys):
            study_uid = _text(answer, "StudyInstanceUID")
            found[study_uid] = StudyFound(study_uid, _header(answer, STUDY_KEYS))
    found.pop("", None)
    return tuple(found.values())


def studies_of_patient(remote: Remote, patient_id: str) -> tuple[StudyFound, ...]:
    """The studies of one patient, with what the peer tells of the patient; none for an ID with a wild card.

    Peers compare more loosely than we do: that it is the same patient is the caller's to check.
    """
    if not patient_id or set(patient_id) & set("*?\\"):
        return ()
    keys = {**_empty((*PATIENT_KEYS, *STUDY_KEYS)), "PatientID": patient_id, "StudyInstanceUID": ""}
    found = {
        _text(answer, "StudyInstanceUID"): _header(answer, (*PATIENT_KEYS, *STUDY_KEYS))
        for answer in _find(remote, "STUDY", keys)
    }
    found.pop("", None)
    return tuple(StudyFound(uid, header) for uid, header in found.items())


def instances_of(remote: Remote, study_uid: str, series_uid: str) -> frozenset[str]:
    """SOP Instance UIDs of one series."""
    keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": ""}
    return frozenset(_text(answer, "SOPInstanceUID") for answer in _find(remote, "IMAGE", keys)) - {""}


def _find(remote: Remote, level: str, keys: Mapping[str, str]) -> list[Dataset]:
    """Every match of one query.

    Raises:
        PeerUnavailable: no answer, or out of resources.
        PeerRefused: the peer does not answer queries, or not this one.
    """
    query = Dataset()
    query.SpecificCharacterSet = "ISO_IR 192"
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    found = []
    context = build_context(StudyRootFind, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    with association(remote, [context]) as opened:
        for answer, identifier in opened.send_c_find(query, StudyRootFind):
            status = answered(answer, remote, "C-FIND")
            if status in PENDING and identifier is not None:
                found.append(identifier)
            elif status not in (*PENDING, SUCCESS):
                raise failure(answer, remote, "C-FIND")
    return found


def _empty(keywords: tuple[str, ...]) -> dict[str, str]:
    return dict.fromkeys(keywords, "")


def _text(answer: Dataset, keyword: str) -> str:
    return element_text(answer, tag_for_keyword(keyword) or 0, encodings_of(answer))


def _header(answer: Dataset, keywords: tuple[str, ...]) -> Header:
    values = {keyword: _text(answer, keyword) for keyword in keywords}
    return Header({keyword: value for keyword, value in values.items() if value})


def _count(answer: Dataset) -> int | None:
    text = _text(answer, "NumberOfSeriesRelatedInstances")
    return int(text) if text.isdecimal() else None
