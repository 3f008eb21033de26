"""The store of labels: added once, attached to their study, withdrawn but never deleted."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import ChoiceRow, InstanceRow, StudyRow
from dicomnode.learn.harvest.seen import result_was_out
from dicomnode.learn.values import SOURCE_WEIGHT, LabelState, Source, What

WHOLE = -1
"""`output` of a mask or of boxes: every segment or finding at once."""
REPLACED, RETRACTED = "replaced by a newer version of its object", "its object was rejected"
SEVERAL_PATIENTS = "the accession number fits studies of several patients: give the Study Instance UID"
SEVERAL_STUDIES = "the accession number fits several studies of the patient: give the Study Instance UID"
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


def add_labels(session: Session, labels: Iterable[NewLabel]) -> Added:
    """Enter labels; those of unknown studies wait, those that are known already change nothing."""
    rows, known = [], 0
    for label in labels:
        row = _added(session, label)
        known += row is None
        rows += [row] if row is not None else []
    states = [row.state for row in rows]
    keys = tuple(row.label_key for row in rows)
    return Added(keys, known, states.count(LabelState.WAITING), states.count(LabelState.REFUSED))


def attach(session: Session) -> int:
    """Attach labels that waited to the studies that have come; how many found theirs."""
    return sum(_settled(session, row) for row in session.scalars(arrived()).all())


def arrived() -> Select[LabelRow]:
    """Labels that wait for a study that has come."""
    by_uid = (LabelRow.study_uid == StudyRow.study_uid) & (LabelRow.study_uid != "")
    by_number = (LabelRow.accession_number == StudyRow.accession_number) & (LabelRow.accession_number != "")
    query = select(LabelRow).join(StudyRow, by_uid | by_number)
    return query.where(LabelRow.state == LabelState.WAITING, StudyRow.state != "held").distinct()


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


def _added(session: Session, label: NewLabel) -> LabelRow | None:
    """The new row of a label; None where it is known."""
    label = label if label.object_uid else replace(label, object_uid=_statement_uid(label))
    if _is_known(session, label):
        return None
    replace_objects(session, label.replaces)
    row = _row(label)
    if not label.refused:
        row.state = LabelState.WAITING
    session.add(row)
    session.flush()
    _settled(session, row)
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


def _settled(session: Session, row: LabelRow) -> bool:
    """Attach one label to its study if that is here; a number that fits several is refused."""
    studies = _studies(session, row)
    if not studies:
        return False
    row.accession_number = ""
    if len({study.patient_id for study in studies}) > 1:
        row.state, row.reason = LabelState.REFUSED, SEVERAL_PATIENTS
    elif len(studies) > 1:
        row.state, row.reason = LabelState.REFUSED, SEVERAL_STUDIES
    else:
        _attach(session, row, studies[0])
    return True


def _studies(session: Session, row: LabelRow) -> Sequence[StudyRow]:
    query = select(StudyRow).where(StudyRow.state != "held")
    if row.study_uid:
        return session.scalars(query.where(StudyRow.study_uid == row.study_uid)).all()
    if not row.accession_number:
        return []
    found = session.scalars(query.where(StudyRow.accession_number == row.accession_number)).all()
    if len(found) < 2 or len({study.patient_id for study in found}) > 1:
        return found
    keys = [study.study_key for study in found]
    taken = select(ChoiceRow.study_key).where(
        ChoiceRow.study_key.in_(keys), ChoiceRow.model == row.model, ChoiceRow.series_uid.is_not(None)
    )
    wanted = set(session.scalars(taken))
    return [study for study in found if study.study_key in wanted] or found


def _attach(session: Session, row: LabelRow, study: StudyRow) -> None:
    row.study_key, row.study_uid = study.study_key, study.study_uid
    if not row.unaided:
        row.assisted = row.assisted or result_was_out(session, study.study_key, row.made_s)
    if row.state == LabelState.WAITING:
        row.state = LabelState.ATTACHED
    session.flush()


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
