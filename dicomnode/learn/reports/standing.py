"""What is known of a labeler's worth at this site: written by `dicomnode labels measure`, read when labels are made."""

import time
from collections.abc import Sequence

from sqlalchemy import delete
from sqlalchemy.orm import Session

from dicomnode.index.learning import LabelerRow
from dicomnode.learn.reports.facts import Labeler, name_of
from dicomnode.learn.reports.measure import Worth


def keep_worth(session: Session, labeler: Labeler, worth: Sequence[Worth]) -> None:
    """Keep what a labeler was measured to be worth; an older measurement of the same version is replaced."""
    name, now_s = name_of(labeler), time.time()
    session.execute(delete(LabelerRow).where(LabelerRow.labeler == name))
    session.add_all(
        LabelerRow(
            labeler=name,
            finding=one.finding,
            reports=one.counts.reports,
            ppv=None if one.ppv is None else one.ppv.value,
            npv=None if one.npv is None else one.npv.value,
            unreviewed=one.unreviewed,
            at_s=now_s,
        )
        for one in worth
    )
