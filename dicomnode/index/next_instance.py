"""The commonest arrival in four statements: a new instance of a series that is being received.

`arrivals.enter` does the same for every arrival; a study of 2000 images takes this way for 1999 of them.
"""

from typing import TYPE_CHECKING

from sqlalchemy import BindParameter, Connection, bindparam, exists, insert, or_, select, update

from dicomnode.index.schema import InstanceRow, ModelVersionRow, ResultRow, SeriesRow, StudyRow

if TYPE_CHECKING:
    from dicomnode.index.arrivals import Received

_SERIES = (
    select(StudyRow.study_key, SeriesRow.series_key)
    .join(SeriesRow, SeriesRow.study_key == StudyRow.study_key)
    .where(
        StudyRow.study_uid == bindparam("study_uid"),
        SeriesRow.series_uid == bindparam("series_uid"),
        StudyRow.state == "receiving",
        StudyRow.patient_id == bindparam("patient_id"),
    )
    .with_for_update(of=StudyRow)
)
"""The row keys of a series whose study nobody holds, of the same patient; the study's row is locked."""

_UID: BindParameter[str] = bindparam("sop_instance_uid")
_KNOWN = select(
    or_(
        exists().where(InstanceRow.study_key == bindparam("study_key"), InstanceRow.sop_instance_uid == _UID),
        exists().where(ResultRow.sop_instance_uid == _UID),
    )
)
_OURS = select(exists().where(ModelVersionRow.device_uid.in_(bindparam("device_uids", expanding=True))))
_INSERT = insert(InstanceRow)
_TOUCH = update(StudyRow).where(StudyRow.study_key == bindparam("key"))


def enter_next(connection: Connection, arrival: "Received") -> bool:
    """Enter an instance within the caller's transaction, unless anything about it is out of the ordinary.

    Returns:
        False when nothing was written: the study or series is new or held, another patient is named, the UID
        is known, or it is one of our own results. `arrivals.enter` knows what to do then.
    """
    found = connection.execute(
        _SERIES,
        {
            "study_uid": arrival.study_uid,
            "series_uid": arrival.series_uid,
            "patient_id": arrival.study["patient_id"],
        },
    ).first()
    if found is None or _is_known(connection, found.study_key, arrival) or _is_ours(connection, arrival):
        return False
    connection.execute(_INSERT, _row(found.study_key, found.series_key, arrival))
    said = {name: text for name, text in arrival.study.items() if text}
    said_s = {"last_received_s": arrival.stored.received_s}
    connection.execute(_TOUCH, {"key": found.study_key, **said, **said_s})
    return True


def _is_known(connection: Connection, study_key: int, arrival: "Received") -> bool:
    sought = {"study_key": study_key, "sop_instance_uid": arrival.sop_instance_uid}
    return bool(connection.execute(_KNOWN, sought).scalar_one())


def _is_ours(connection: Connection, arrival: "Received") -> bool:
    if not arrival.device_uids:
        return False
    return bool(connection.execute(_OURS, {"device_uids": list(arrival.device_uids)}).scalar_one())


def _row(study_key: int, series_key: int, arrival: "Received") -> dict[str, object]:
    stored = arrival.stored
    return {
        "study_key": study_key,
        "series_key": series_key,
        "sop_instance_uid": arrival.sop_instance_uid,
        "sop_class_uid": arrival.sop_class_uid,
        "transfer_syntax_uid": stored.transfer_syntax_uid,
        "content_digest": stored.content_digest,
        "file": stored.file,
        "size_bytes": stored.size_bytes,
        "patient_id": arrival.study["patient_id"],
        "received_s": stored.received_s,
        "calling_ae": stored.calling_ae,
        "current": True,
        "own_result": False,
        "header": arrival.header.values,
    }
