"""The store of labels: added once, attached to their study, withdrawn but never deleted."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import InstanceRow, StudyRow
from dicomnode.learn.harvest.attaching import DOUBTS, OTHER_PATIENT, give_to, settled
from dicomnode.learn.harvest.named import Named, Whose
from dicomnode.learn.values import SOURCE_WEIGHT, LabelState, Source, What

WHOLE = -1
"""`output` of a mask or of boxes: every segment or finding at once."""
KEY_TOLD = 12
"""Hex digits of a patient's key that tell lines of tables apart."""
REPLACED, RETRACTED = "replaced by a newer version of its object", "its object was rejected"
OBJECTS = (Source.SEG, Source.RTSTRUCT, Source.SR, Source.KEY_OBJECT)
"""Sources that are DICOM objects in the archive."""


@dataclass(frozen=True)
class NewLabel:
    """What somebody said of a study, before it is in the index."""

    model: str
    output: int
    value: float | None
    """1 present, 0 absent, None uncertain (or a mask or boxes)."""
    source: Source
    who: str
    made_s: float
    study_uid: str = ""
    accession_number: str = ""
    """Where the study UID is not known."""
    of: tuple[Named, ...] = ()
    """The patient, under every ID that its source gives; compared with the study's."""
    what: What = What.PRESENCE
    series_uid: str = ""
    file: str = ""
    object_uid: str = ""
    """What it was read from; the same statement of the same object is taken once."""
    object_digest: str = ""
    tracking_uid: str = ""
    rule: str = ""
    assisted: bool | None = None
    """None: `seen.result_was_out` decides when the study is known. False: a person declared that it was not."""
    weight: float | None = None
    """None: that of its source."""
    refused: str = ""
    """Why it cannot be used, in words."""
    replaces: tuple[str, ...] = ()
    """Objects that the object names as its predecessors."""


@dataclass(frozen=True)
class Added:
    """What became of labels that were added."""

    keys: tuple[int, ...] = ()
    """Of the new rows, in the order given; a label that was known has none."""
    known: int = 0
    waiting: int = 0
    refused: int = 0
    other_patient: int = 0
    """Of the refused: their source names another patient than the study does."""

    def and_(self, more: "Added") -> "Added":
        """What became of these labels and of more that were added after them."""
        return Added(
            self.keys + more.keys,
            self.known + more.known,
            self.waiting + more.waiting,
            self.refused + more.refused,
            self.other_patient + more.other_patient,
        )


def add_labels(session: Session, labels: Iterable[NewLabel], state: Path) -> Added:
    """Enter labels; those of unknown studies wait, those that are known already change nothing.

    Args:
        session: open transaction.
        labels: what somebody said.
        state: the state folder, where the split key lies; asked only where a patient or an accession number is named.

    Raises:
        SplitKeyLost: it is asked, and is gone.
    """
    rows, known, whose = [], 0, Whose(session, state)
    for label in labels:
        row = _added(session, whose, label)
        known += row is None
        rows += [row] if row is not None else []
    states = [row.state for row in rows]
    keys = tuple(row.label_key for row in rows)
    others = sum(row.reason == OTHER_PATIENT for row in rows)
    return Added(keys, known, states.count(LabelState.WAITING), states.count(LabelState.REFUSED), others)


def withdraw(session: Session, label_key: int, reason: str) -> LabelRow:
    """Take a label back; it is kept, and never used again.

    Raises:
        ConfigFault: there is no such label, or it was withdrawn before.
    """
    row = session.get(LabelRow, label_key)
    if row is None:
        raise ConfigFault(f"there is no label {label_key}: `dicomnode labels list`")
    if row.state == LabelState.WITHDRAWN:
        raise ConfigFault(f"label {label_key} is withdrawn already: {row.reason}")
    _withdraw([row], reason)
    return row


def give(session: Session, label_key: int, study_uid: str) -> LabelRow:
    """A person says which study a label is about, where the node was in doubt.

    Raises:
        ConfigFault: there is no such label or study, or the label is not one in doubt.
    """
    row = session.get(LabelRow, label_key)
    if row is None:
        raise ConfigFault(f"there is no label {label_key}: `dicomnode labels list`")
    if row.state == LabelState.ATTACHED or (row.reason not in DOUBTS and row.state != LabelState.WAITING):
        raise ConfigFault(f"label {label_key} is {row.state}{f': {row.reason}' if row.reason else ''}: not in doubt")
    study = session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid, StudyRow.state != "held")).first()
    if study is None:
        raise ConfigFault(f"there is no study {study_uid}, or it is held: `dicomnode studies`")
    give_to(session, row, study)
    return row


def follow_retractions(session: Session, since_s: float) -> int:
    """Withdraw the labels of objects that were rejected, and bring back those of objects that came again.

    Args:
        session: open transaction.
        since_s: studies that did not change since are not looked at.
    """
    versions = select(InstanceRow.instance_key).where(
        InstanceRow.sop_instance_uid == LabelRow.object_uid, InstanceRow.study_key == LabelRow.study_key
    )
    current = versions.where(InstanceRow.current).exists()
    changed = (
        select(LabelRow)
        .join(StudyRow, StudyRow.study_key == LabelRow.study_key)
        .where(StudyRow.last_received_s >= since_s, LabelRow.source.in_(OBJECTS))
    )
    attached = LabelRow.state == LabelState.ATTACHED
    gone = session.scalars(changed.where(attached, versions.exists(), ~current)).all()
    taken_back = (LabelRow.state == LabelState.WITHDRAWN) & (LabelRow.reason == RETRACTED)
    back = session.scalars(changed.where(taken_back, current)).all()
    _withdraw(gone, RETRACTED)
    for row in back:
        row.state, row.reason = LabelState.ATTACHED, ""
    return len(gone) + len(back)


def replace_objects(session: Session, object_uids: Iterable[str]) -> None:
    """Withdraw the labels of objects that a newer one replaces."""
    wanted = tuple(object_uids)
    if wanted:
        standing = LabelRow.state.in_((LabelState.WAITING, LabelState.ATTACHED, LabelState.REFUSED))
        _withdraw(session.scalars(select(LabelRow).where(LabelRow.object_uid.in_(wanted), standing)).all(), REPLACED)


def _added(session: Session, whose: Whose, label: NewLabel) -> LabelRow | None:
    """The new row of a label; None where it is known."""
    named = whose.kept(label.of)
    label = replace(label, object_uid=_object_uid(label, named))
    if _is_known(session, label):
        return None
    replace_objects(session, label.replaces)
    row = _row(label)
    row.named = named
    if not label.refused:
        row.state = LabelState.WAITING
    session.add(row)
    session.flush()
    settled(session, whose, row)
    _keep_newest(session, row)
    return row


def _is_known(session: Session, label: NewLabel) -> bool:
    same = select(LabelRow).where(
        LabelRow.object_uid == label.object_uid,
        LabelRow.object_digest == label.object_digest,
        LabelRow.model == label.model,
        LabelRow.output == label.output,
        LabelRow.what == label.what,
        LabelRow.tracking_uid == label.tracking_uid,
    )
    found = session.scalars(same).all()
    return any(not label.study_uid or row.study_uid in ("", label.study_uid) for row in found)


def _object_uid(label: NewLabel, named: str) -> str:
    """A line of a table that names another patient than before is another line."""
    if label.source is Source.TABLE and named:
        return f"{label.object_uid}:{named[:KEY_TOLD]}"
    return label.object_uid or _statement_uid(label)


def _statement_uid(label: NewLabel) -> str:
    """What stands for the object of a statement that has none: the same statement again has the same."""
    about = label.study_uid or label.accession_number
    text = "\0".join(map(str, (label.source, label.who, label.value, label.made_s, about)))
    return f"said:{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def _row(label: NewLabel) -> LabelRow:
    now_s = time.time()
    return LabelRow(
        state=LabelState.REFUSED,
        reason=label.refused,
        study_uid=label.study_uid,
        accession_number="" if label.study_uid or label.refused else label.accession_number,
        series_uid=label.series_uid,
        model=label.model,
        output=label.output,
        what=label.what,
        value=label.value,
        file=label.file,
        source=label.source,
        who=label.who[:255],
        made_s=min(label.made_s, now_s),  # a clock that runs ahead would make its labels the newest for ever
        at_s=now_s,
        object_uid=label.object_uid,
        object_digest=label.object_digest,
        tracking_uid=label.tracking_uid,
        rule=label.rule[:255],
        assisted=bool(label.assisted),
        unaided=label.assisted is False,
        weight=SOURCE_WEIGHT[label.source] if label.weight is None else label.weight,
        patient="",
    )


def _keep_newest(session: Session, row: LabelRow) -> None:
    """Of one reader's statements on one tracked finding, or of one object's versions, the newest stands."""
    if row.state not in (LabelState.ATTACHED, LabelState.WAITING):
        return
    about = select(LabelRow).where(
        LabelRow.label_key != row.label_key,
        LabelRow.model == row.model,
        LabelRow.output == row.output,
        LabelRow.what == row.what,
        LabelRow.study_uid == row.study_uid,
        LabelRow.state.in_((LabelState.ATTACHED, LabelState.WAITING)),
    )
    versions = about.where(LabelRow.object_uid == row.object_uid, LabelRow.object_digest != row.object_digest)
    _withdraw(session.scalars(versions).all(), REPLACED)
    if row.tracking_uid and row.who:
        tracked = about.where(LabelRow.tracking_uid == row.tracking_uid, LabelRow.who == row.who)
        same = [*session.scalars(tracked.where(LabelRow.source == row.source)), row]
        newest = max(same, key=lambda one: (one.made_s, one.label_key))
        _withdraw([one for one in same if one is not newest], REPLACED)


def _withdraw(rows: Iterable[LabelRow], reason: str) -> None:
    for row in rows:
        row.state, row.reason, row.accession_number = LabelState.WITHDRAWN, reason, ""
