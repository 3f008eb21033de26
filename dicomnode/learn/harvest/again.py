"""Objects that gave no usable label are read once more, for the map of the site has grown."""

import time

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import InstanceRow, StudyRow
from dicomnode.learn.harvest.objects import DIGEST
from dicomnode.learn.harvest.revised import OTHER_PIXELS
from dicomnode.learn.values import LabelState


def read_again(session: Session) -> int:
    """Have the engine's next tick read those objects that were looked at in vain; how many.

    One is read anew where it gave no label, or only refused ones. What gave a label that stands or was withdrawn, and
    drawings whose images changed, are left as they are; a message whose text was not kept cannot be read again.
    """
    key = InstanceRow.sop_instance_uid + ":" + func.substr(InstanceRow.content_digest, 1, DIGEST)
    settled = select(LabelRow.label_key).where(
        LabelRow.object_uid == InstanceRow.sop_instance_uid,
        LabelRow.object_digest == InstanceRow.content_digest,
        or_(LabelRow.state != LabelState.REFUSED, LabelRow.reason == OTHER_PIXELS),
    )
    query = (
        select(HarvestedRow.object_uid, InstanceRow.study_key)
        .join(InstanceRow, HarvestedRow.object_uid == key)
        .where(InstanceRow.current, ~settled.exists())
    )
    found = session.execute(query).all()
    for object_uid, study_key in found:
        session.execute(update(HarvestedRow).where(HarvestedRow.object_uid == object_uid).values(again=True))
        session.execute(update(StudyRow).where(StudyRow.study_key == study_key).values(decided_s=time.time()))
    return len(found)
