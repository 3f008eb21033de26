"""A person decides whose a held study is."""

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import IdentityFault
from dicomnode.index.arrivals import hold_or_release
from dicomnode.index.schema import InstanceRow, StudyRow


class NotHeld(IdentityFault):
    """There is nothing to settle."""


class UnknownPatient(IdentityFault):
    """No instance of the study carries the Patient ID that was named."""


def settle(session: Session, study_uid: str, patient_id: str) -> int:
    """Let a held study go on with the instances of one patient; how many are set aside.

    Instances that name another patient are kept, and no longer used.

    Raises:
        NotHeld: no such study is held.
        UnknownPatient: none of its instances carries this Patient ID.
    """
    study = session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid).with_for_update()).first()
    if study is None or study.state != "held":
        raise NotHeld(f"no study {study_uid} is held")
    rows = session.scalars(
        select(InstanceRow).where(InstanceRow.study_key == study.study_key, InstanceRow.own_result.is_(False))
    ).all()
    if not any(row.patient_id == patient_id for row in rows):
        raise UnknownPatient("no instance of the study carries this Patient ID")
    set_aside = [row for row in rows if row.current and row.patient_id not in {"", patient_id}]
    for row in set_aside:
        row.current = False
        _revive(row, list(rows), patient_id)
    session.flush()
    study.patient_id, study.last_received_s = patient_id, time.time()
    hold_or_release(session, study)
    return len(set_aside)


def _revive(row: InstanceRow, rows: list[InstanceRow], patient_id: str) -> None:
    """The newest version of the same instance that names the right patient is used instead."""
    same = [
        other for other in rows if other.sop_instance_uid == row.sop_instance_uid and other.patient_id == patient_id
    ]
    if same:
        max(same, key=lambda other: other.received_s).current = True
