"""One received instance into the index, in one transaction, so that two receivers never lose or double one.

The same content again changes nothing. Other content under the same UID becomes the current version and
the older one stays. A study whose instances name two patients is held until they agree again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pydicom import Dataset
from pydicom.tag import BaseTag
from sqlalchemy import String, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dicomnode.index.database import Index
from dicomnode.index.element_text import element_text, encodings_of
from dicomnode.index.headers import TAGS, header_in, items_of
from dicomnode.index.next_instance import ThroughSqlAlchemy, enter_next
from dicomnode.index.schema import InstanceRow, ModelVersionRow, ResultRow, SeriesRow, StudyRow
from dicomnode.values import Header

ATTEMPTS = 5
"""Two receivers may insert the same new study at once; the loser tries again and finds it."""
TWO_PATIENTS = "instances of this study carry different Patient IDs"
STUDY_TAGS = {
    "patient_id": BaseTag(0x00100020), "patient_name": BaseTag(0x00100010), "patient_birth_date": BaseTag(0x00100030),
    "patient_sex": BaseTag(0x00100040), "accession_number": BaseTag(0x00080050), "study_date": BaseTag(0x00080020),
    "description": BaseTag(0x00081030),
}  # fmt: skip
SERIES_TAGS = {
    "modality": BaseTag(0x00080060), "description": BaseTag(0x0008103E), "number": BaseTag(0x00200011),
}  # fmt: skip
STUDY_UID, SERIES_UID, INSTANCE_UID, CLASS_UID, DEVICE_UID, EQUIPMENT = (
    BaseTag(tag) for tag in (0x0020000D, 0x0020000E, 0x00080018, 0x00080016, 0x00181002, 0x0018A001)
)
LOOKED_AT: Mapping[int, BaseTag] = {
    int(tag): tag
    for tag in (
        *STUDY_TAGS.values(), *SERIES_TAGS.values(), *TAGS,
        STUDY_UID, SERIES_UID, INSTANCE_UID, CLASS_UID, DEVICE_UID, EQUIPMENT,
    )
}  # fmt: skip
"""Every element of a data set that `received` looks at."""
LENGTHS = {
    table: {column.key: column.type.length for column in table.__table__.columns if isinstance(column.type, String)}
    for table in (StudyRow, SeriesRow)
}


class Outcome(StrEnum):
    """What an arrival changed."""

    NEW = "new"
    REVISED = "revised"
    """Other content under a known UID."""
    SAME = "same"
    """Nothing."""


@dataclass(frozen=True)
class Stored:
    """Where and how an instance was stored."""

    file: str
    """Path below the state folder."""
    size_bytes: int
    content_digest: str
    transfer_syntax_uid: str
    calling_ae: str
    received_s: float


@dataclass(frozen=True)
class Received:
    """One stored instance, with what the index keeps of its header."""

    stored: Stored
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    study: dict[str, str]
    """Columns of the study's row."""
    series: dict[str, str]
    device_uids: tuple[str, ...]
    """Device UIDs of the equipment that made or changed it."""
    header: Header

    def at(self, stored: Stored) -> "Received":
        """The same instance, now that it has its place."""
        return replace(self, stored=stored)


def received(dataset: Dataset, stored: Stored) -> Received:
    """What the index keeps of one stored instance."""
    encodings = encodings_of(dataset)
    equipment = [dataset, *items_of(dataset, "ContributingEquipmentSequence")]
    return Received(
        stored=stored,
        study_uid=element_text(dataset, STUDY_UID, encodings),
        series_uid=element_text(dataset, SERIES_UID, encodings),
        sop_instance_uid=element_text(dataset, INSTANCE_UID, encodings),
        sop_class_uid=element_text(dataset, CLASS_UID, encodings),
        study=_columns(dataset, STUDY_TAGS, StudyRow, encodings),
        series=_columns(dataset, SERIES_TAGS, SeriesRow, encodings),
        device_uids=tuple(filter(None, (element_text(item, DEVICE_UID, encodings) for item in equipment))),
        header=header_in(dataset, encodings),
    )


def record(index: Index, arrival: Received) -> Outcome:
    """Write one stored instance into the index; safe to repeat, and from several processes at once."""
    for _ in range(ATTEMPTS - 1):
        try:
            return _recorded(index, arrival)
        except IntegrityError:
            continue
    return _recorded(index, arrival)


def _recorded(index: Index, arrival: Received) -> Outcome:
    with index.transaction() as session:
        return Outcome.NEW if enter_next(ThroughSqlAlchemy(session.connection()), arrival) else enter(session, arrival)


def enter(session: Session, arrival: Received) -> Outcome:
    """Write one stored instance within a transaction that the caller holds."""
    own = _is_own_result(session, arrival)
    study = _study(session, arrival, own)
    series = _series(session, study, arrival)
    versions = _versions(session, study, arrival.sop_instance_uid)
    same = next((row for row in versions if row.content_digest == arrival.stored.content_digest), None)
    if same is not None and same.current:
        return Outcome.SAME
    for row in versions:
        row.current = False
    _make_current(session, same or _instance(study, series, arrival, own))
    if not own:
        _touch(session, study, arrival)
    return Outcome.REVISED if versions else Outcome.NEW


def hold_or_release(session: Session, study: StudyRow) -> None:
    """Hold a study whose current instances name two patients; let it go on when they agree (again)."""
    named = select(InstanceRow.patient_id).where(
        InstanceRow.study_key == study.study_key,
        InstanceRow.current,
        InstanceRow.own_result.is_(False),
        InstanceRow.patient_id != "",
    )
    if len(session.scalars(named.distinct()).all()) > 1:
        study.state, study.reason = "held", TWO_PATIENTS
    elif study.state == "held":
        study.state, study.reason = "receiving", ""


def _columns(
    dataset: Dataset, tags: dict[str, BaseTag], table: type[StudyRow | SeriesRow], encodings: list[str]
) -> dict[str, str]:
    found = {name: element_text(dataset, tag, encodings) for name, tag in tags.items()}
    return {name: text[: LENGTHS[table][name]] for name, text in found.items()}


def _is_own_result(session: Session, arrival: Received) -> bool:
    if session.get(ResultRow, arrival.sop_instance_uid) is not None:
        return True
    if not arrival.device_uids:
        return False
    ours = select(ModelVersionRow.digest).where(ModelVersionRow.device_uid.in_(arrival.device_uids))
    return session.scalars(ours.limit(1)).first() is not None


def _study(session: Session, arrival: Received, own: bool) -> StudyRow:
    found = session.scalars(select(StudyRow).where(StudyRow.study_uid == arrival.study_uid).with_for_update()).first()
    if found is not None:
        return found
    at_s = arrival.stored.received_s
    study = StudyRow(study_uid=arrival.study_uid, first_received_s=at_s, last_received_s=at_s, **arrival.study)
    study.state, study.reason = ("decided" if own else "receiving"), ""
    session.add(study)
    session.flush()
    return study


def _series(session: Session, study: StudyRow, arrival: Received) -> SeriesRow:
    found = session.scalars(
        select(SeriesRow).where(SeriesRow.study_key == study.study_key, SeriesRow.series_uid == arrival.series_uid)
    ).first()
    if found is not None:
        return found
    series = SeriesRow(study_key=study.study_key, series_uid=arrival.series_uid, **arrival.series)
    session.add(series)
    session.flush()
    return series


def _versions(session: Session, study: StudyRow, sop_instance_uid: str) -> list[InstanceRow]:
    rows = select(InstanceRow).where(
        InstanceRow.study_key == study.study_key, InstanceRow.sop_instance_uid == sop_instance_uid
    )
    return list(session.scalars(rows).all())


def _instance(study: StudyRow, series: SeriesRow, arrival: Received, own: bool) -> InstanceRow:
    stored = arrival.stored
    return InstanceRow(
        study_key=study.study_key,
        series_key=series.series_key,
        sop_instance_uid=arrival.sop_instance_uid,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax_uid=stored.transfer_syntax_uid,
        content_digest=stored.content_digest,
        file=stored.file,
        size_bytes=stored.size_bytes,
        patient_id=arrival.study["patient_id"],
        received_s=stored.received_s,
        calling_ae=stored.calling_ae,
        own_result=own,
        header=arrival.header.values,
    )


def _make_current(session: Session, row: InstanceRow) -> None:
    row.current = True
    session.add(row)
    session.flush()


def _touch(session: Session, study: StudyRow, arrival: Received) -> None:
    """Tell `complete` that there is something new, with the newest instance's words about the study."""
    changed_patient = arrival.study["patient_id"] not in {"", study.patient_id}
    study.last_received_s = arrival.stored.received_s
    for name, text in arrival.study.items():
        if text:
            setattr(study, name, text)
    if study.state == "held" or changed_patient:
        hold_or_release(session, study)
    if study.state not in {"held", "receiving"}:
        study.state, study.reason = "receiving", ""
