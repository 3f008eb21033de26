"""Drawings on images that came in again with other pixels, or elsewhere: they fit no longer.

A corrected name or description changes nothing here: pixels and geometry alone are compared.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from dicomnode.index.element_text import MALFORMED
from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from dicomnode.learn.values import LabelState, What
from dicomnode.volume.read import quiet

OTHER_PIXELS = "its images came in again with other pixels, or at another place, after it was drawn"
PLACE = (
    "Rows", "Columns", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip


@dataclass(frozen=True)
class Revised:
    """An image under a drawing, as it was when it was drawn and as it is now."""

    label_key: int
    instance_key: int
    before: str
    now: str
    """Paths below the state folder."""

    @property
    def key(self) -> str:
        """Of its row among the objects looked at."""
        return f"pixels:{self.label_key}:{self.instance_key}"


def revised_images(session: Session, since_s: float) -> Sequence[Revised]:
    """Images that changed under a drawing, in studies that changed since; those that were compared are left out."""
    now, before = aliased(InstanceRow), aliased(InstanceRow)
    query = (
        select(LabelRow.label_key, now.instance_key, before.file, now.file)
        .join(StudyRow, StudyRow.study_key == LabelRow.study_key)
        .join(SeriesRow, (SeriesRow.study_key == LabelRow.study_key) & (SeriesRow.series_uid == LabelRow.series_uid))
        .join(now, (now.series_key == SeriesRow.series_key) & now.current & (now.received_s > LabelRow.made_s))
        .join(
            before,
            (before.sop_instance_uid == now.sop_instance_uid)
            & (before.study_key == now.study_key)
            & before.current.is_(False)
            & (before.received_s < now.received_s),
        )
        .where(
            StudyRow.last_received_s >= since_s,
            LabelRow.what.in_((What.MASK, What.BOXES)),
            LabelRow.state == LabelState.ATTACHED,
        )
        .order_by(before.received_s)
    )
    newest = {
        (label, instance): Revised(label, instance, old, new) for label, instance, old, new in session.execute(query)
    }
    return [one for one in newest.values() if session.get(HarvestedRow, one.key) is None]


def refuse_revised(session: Session, state: Path, revised: Sequence[Revised]) -> int:
    """Refuse drawings whose images are others now; how many."""
    refused = 0
    for one in revised:
        row = session.get_one(LabelRow, one.label_key)
        session.merge(HarvestedRow(object_uid=one.key, at_s=time.time()))
        if row.state == LabelState.ATTACHED and not same_image(state / one.before, state / one.now):
            row.state, row.reason = LabelState.REFUSED, OTHER_PIXELS
            refused += 1
    return refused


def same_image(one: Path, other: Path) -> bool:
    """Whether two versions of an image have the same pixels at the same place; False where one cannot be read."""
    try:
        with quiet():
            first, second = dcmread(one), dcmread(other)
            return first.get("PixelData") == second.get("PixelData") and all(
                first.get(keyword) == second.get(keyword) for keyword in PLACE
            )
    except MALFORMED:
        return False
