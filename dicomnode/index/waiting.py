"""Studies that wait for a decision: read and marked by the room `complete`."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dicomnode.complete.ready import Waiting
from dicomnode.index.schema import InstanceRow, ResultRow, SeriesRow, StudyRow


def waiting_studies(session: Session) -> list[Waiting]:
    """Every study in state "receiving", oldest arrival first."""
    rows = session.scalars(select(StudyRow).where(StudyRow.state == "receiving").order_by(StudyRow.last_received_s))
    return [
        Waiting(
            row.study_key,
            row.study_uid,
            max(row.first_received_s, row.decided_s or 0.0),
            row.last_received_s,
            row.settled_received_s,
            row.settled_s,
        )
        for row in rows
    ]


def own_series_uids(session: Session, study_uid: str) -> frozenset[str]:
    """Series that hold our results in this study, at whatever destination."""
    sent = select(ResultRow.series_uid).where(ResultRow.study_uid == study_uid)
    back = (
        select(SeriesRow.series_uid)
        .join(InstanceRow, InstanceRow.series_key == SeriesRow.series_key)
        .join(StudyRow, StudyRow.study_key == SeriesRow.study_key)
        .where(StudyRow.study_uid == study_uid, InstanceRow.own_result)
    )
    return frozenset(session.scalars(sent.union(back)))


def mark_settled(session: Session, waiting: Waiting, now_s: float | None) -> None:
    """Note the first of two equal counts, or (with None) that counts differ."""
    received_s = waiting.last_received_s if now_s is not None else None
    session.execute(
        update(StudyRow)
        .where(StudyRow.study_key == waiting.study_key)
        .values(settled_s=now_s, settled_received_s=received_s)
    )
