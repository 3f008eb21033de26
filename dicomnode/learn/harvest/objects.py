"""Objects that came in and that nobody has looked at for labels, each once."""

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path

from pydicom import Dataset
from pydicom.valuerep import DA, TM
from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from dicomnode.encode.door.items import references
from dicomnode.index.element_text import MALFORMED
from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import InstanceRow, ResultRow, StudyRow
from dicomnode.learn.harvest.labels import NewLabel, add_labels, replace_objects
from dicomnode.learn.values import LabelState

DIGEST = 32
"""Hex digits of an object's content that tell its versions apart."""
REPLACED = ":replaced"
"""Behind the UID of an object that another one names as its predecessor."""


@dataclass(frozen=True)
class Waiting:
    """An object to look at."""

    instance_key: int
    sop_instance_uid: str
    content_digest: str
    study_key: int
    study_uid: str
    path: Path
    received_s: float
    patients: tuple[str, str]
    """Patient ID of the object, and of its study."""
    looked_at_s: float = 0.0
    """When it was looked at before, and something was missing."""

    @property
    def key(self) -> str:
        """Of its row among the objects looked at."""
        return f"{self.sop_instance_uid}:{self.content_digest[:DIGEST]}"

    @property
    def moment(self) -> str:
        """Of the chore that looks at it: another one for another content, and for another look."""
        return f"{self.sop_instance_uid}:{self.content_digest[:8]}:{int(self.looked_at_s)}"


@dataclass(frozen=True)
class Taken:
    """What one object gave."""

    labels: tuple[NewLabel, ...] = ()
    reason: str = ""
    """Why nothing was taken from it, in words."""
    again: bool = False
    """Look again when the study changes: something was missing."""
    replaces: tuple[str, ...] = ()
    """SOP Instance UIDs of objects that this one replaces."""


def waiting_objects(
    session: Session, state: Path, sop_classes: Collection[str], sources: Collection[str], which: ColumnElement[bool]
) -> list[Waiting]:
    """Objects of some classes that came from these AE titles, that nobody has looked at, and that are not ours."""
    key = InstanceRow.sop_instance_uid + ":" + func.substr(InstanceRow.content_digest, 1, DIGEST)
    query = (
        select(InstanceRow, StudyRow, HarvestedRow.at_s)
        .join(StudyRow, StudyRow.study_key == InstanceRow.study_key)
        .outerjoin(HarvestedRow, HarvestedRow.object_uid == key)
        .outerjoin(ResultRow, ResultRow.sop_instance_uid == InstanceRow.sop_instance_uid)
        .where(
            which,
            StudyRow.state.not_in(("receiving", "held")),
            InstanceRow.current,
            InstanceRow.sop_class_uid.in_(sop_classes),
            InstanceRow.calling_ae.in_(sources),
            ResultRow.sop_instance_uid.is_(None),
            or_(HarvestedRow.object_uid.is_(None), and_(HarvestedRow.again, StudyRow.decided_s > HarvestedRow.at_s)),
        )
        .order_by(InstanceRow.received_s)
    )
    return [_waiting(state, *found) for found in session.execute(query)]


def changed_since(since_s: float) -> ColumnElement[bool]:
    """Objects in studies that changed, or were decided on, since then."""
    return or_(StudyRow.last_received_s >= since_s, StudyRow.decided_s >= since_s)


def strangers(session: Session, sop_classes: Collection[str], sources: Collection[str]) -> dict[str, int]:
    """AE titles that sent objects of these classes and are no source of labels, with how many; ours left out."""
    query = (
        select(InstanceRow.calling_ae, func.count())
        .outerjoin(ResultRow, ResultRow.sop_instance_uid == InstanceRow.sop_instance_uid)
        .where(
            InstanceRow.sop_class_uid.in_(sop_classes),
            InstanceRow.calling_ae.not_in(sources),
            InstanceRow.own_result.is_(False),
            ResultRow.sop_instance_uid.is_(None),
        )
        .group_by(InstanceRow.calling_ae)
    )
    return dict(session.execute(query).all())


def keep(session: Session, state: Path, waiting: Waiting, taken: Taken) -> int:
    """Note that an object was looked at, and enter its labels; how many were new.

    What it replaces loses its labels, and gives none if it comes later. What was refused for want of images is decided
    anew.
    """
    if waiting.looked_at_s:
        session.execute(delete(LabelRow).where(*_refused(waiting)).execution_options(synchronize_session=False))
    replace_objects(session, taken.replaces)
    for uid in taken.replaces:
        session.merge(HarvestedRow(object_uid=f"{uid}{REPLACED}", at_s=time.time()))
    added = add_labels(session, taken.labels, state)
    reason = "" if taken.labels else taken.reason
    session.merge(
        HarvestedRow(object_uid=waiting.key, at_s=time.time(), labels=len(added.keys), reason=reason, again=taken.again)
    )
    return len(added.keys)


def _refused(waiting: Waiting) -> tuple[ColumnElement[bool], ...]:
    return (
        LabelRow.object_uid == waiting.sop_instance_uid,
        LabelRow.object_digest == waiting.content_digest,
        LabelRow.state == LabelState.REFUSED,
    )


def is_replaced(session: Session, waiting: Waiting) -> bool:
    """Whether an object that names this one as its predecessor came before it."""
    return session.get(HarvestedRow, f"{waiting.sop_instance_uid}{REPLACED}") is not None


def made_s(document: Dataset, received_s: float) -> float:
    """When an object was made: its Content Date and Time, else Structure Set Date and Time, never after it came in.

    Without an offset from UTC the local time zone is meant (PS3.3 C.12.1.1.1, Timezone Offset From UTC).
    """
    for prefix in ("Content", "StructureSet", "InstanceCreation"):
        try:
            day, clock = (
                DA(str(document.get(f"{prefix}Date", ""))),
                TM(str(document.get(f"{prefix}Time", "")) or "235959"),
            )
        except MALFORMED:
            continue
        if day is not None and clock is not None:
            told = datetime.combine(day, clock).replace(tzinfo=_offset(document))
            return min(told.timestamp(), received_s)
    return received_s


def referenced_elsewhere(document: Dataset, study_uid: str) -> bool:
    """Whether an object's evidence is all of other studies than its own."""
    evidence = [
        str(study.get("StudyInstanceUID", ""))
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in document.get(keyword) or ()
    ]
    return bool(evidence) and study_uid not in evidence


def referenced_uids(document: Dataset) -> set[str]:
    """SOP Instance UIDs that an object refers to, at any depth."""
    return {uid for _, uid in references(document)}


def predecessors(document: Dataset) -> tuple[str, ...]:
    """SOP Instance UIDs that an object names as its predecessors (PS3.3 C.17.2)."""
    items: Sequence[Dataset] = document.get("PredecessorDocumentsSequence") or ()
    return tuple(uid for item in items for _, uid in references(item))


def of_object(label: NewLabel, waiting: Waiting) -> NewLabel:
    """The same label, said of the object's study, with the object that it comes from."""
    uid, digest = waiting.sop_instance_uid, waiting.content_digest
    return replace(label, study_uid=waiting.study_uid, object_uid=uid, object_digest=digest)


def _waiting(state: Path, instance: InstanceRow, study: StudyRow, looked_at_s: float | None) -> Waiting:
    return Waiting(
        instance_key=instance.instance_key,
        sop_instance_uid=instance.sop_instance_uid,
        content_digest=instance.content_digest,
        study_key=study.study_key,
        study_uid=study.study_uid,
        path=state / instance.file,
        received_s=instance.received_s,
        patients=(instance.patient_id, study.patient_id),
        looked_at_s=looked_at_s or 0.0,
    )


def _offset(document: Dataset) -> tzinfo | None:
    """Timezone Offset From UTC ("+0900"); None: local time."""
    text = str(document.get("TimezoneOffsetFromUTC", "") or "")
    if not re.fullmatch(r"[+-]\d{4}", text):
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
