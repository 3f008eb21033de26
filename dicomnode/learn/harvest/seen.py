"""Whether the maker of a label had seen our result. Such a label may train a version, never test one.

Two signs count, either of them alone:

- the object says so: it refers to one of our objects, names one as its predecessor, or carries a tracking UID of ours;
- the clock says so: a result of ours for the study had been stored at a destination before the label was made. Every
  model counts, since a reader who looks at one result has the study's others in the same list; and so do results that
  were withdrawn later. Clocks of reading rooms are off by a little, so a few minutes are given to be on the safe side.

What has no time of its own is taken to be made when it came in. Only a person who declares that a label was made
without our results (a column of the table, an option of the command) overrules the clock.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.database import in_parts
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow

CLOCKS_S = 300.0
"""By so much a reading room's clock may be behind ours."""


def result_was_out(session: Session, study_key: int, made_s: float) -> bool:
    """Whether a result of ours for a study was at a destination when a label was made."""
    query = (
        select(DeliveryRow.delivery_key)
        .join(ResultRow, ResultRow.sop_instance_uid == DeliveryRow.sop_instance_uid)
        .join(RunRow, RunRow.run_key == ResultRow.run_key)
        .where(RunRow.study_key == study_key, DeliveryRow.sent_s.is_not(None), DeliveryRow.sent_s <= made_s + CLOCKS_S)
    )
    return session.scalar(query.limit(1)) is not None


def names_ours(session: Session, uids: Iterable[str]) -> bool:
    """Whether one of these UIDs is that of a result of ours."""
    return any(
        session.scalar(select(ResultRow.sop_instance_uid).where(ResultRow.sop_instance_uid.in_(some)).limit(1))
        for some in in_parts(sorted(set(uids)))
    )
