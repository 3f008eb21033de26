"""Labels find their studies, and are compared anew when a study is no longer what it was.

A Study Instance UID names one study. An accession number may be given by more than one issuer, to several studies, or
to a study by mistake; a report may name another patient than the study does. A label goes to a study where one alone
can be meant, and never to two; a study that comes later, a corrected ID or number, and a merge are reasons to look
again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from dicomnode.index.database import in_parts
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import ChoiceRow, StudyRow
from dicomnode.learn.harvest.named import Whose
from dicomnode.learn.harvest.seen import result_was_out
from dicomnode.learn.values import LabelState

SEVERAL_PATIENTS = "the accession number fits studies of several patients: give the Study Instance UID"
SEVERAL_STUDIES = "the accession number fits several studies of the patient: give the Study Instance UID"
OTHER_PATIENT = "its source names another patient than the study does"
OTHER_NUMBER = "its study has another accession number now than the one it was found by"
DOUBTS = (SEVERAL_PATIENTS, SEVERAL_STUDIES, OTHER_PATIENT, OTHER_NUMBER)
"""Reasons that are looked at again by themselves; a person may decide before."""


def attach(session: Session, state: Path) -> int:
    """Attach labels that waited to the studies that have come; how many found theirs."""
    whose = Whose(session, state)
    return sum(settled(session, whose, row) for row in session.scalars(arrived()).all())


def arrived() -> Select[LabelRow]:
    """Labels that wait for a study that has come."""
    here = StudyRow.state != "held"
    by_uid = exists().where(here, StudyRow.study_uid == LabelRow.study_uid, LabelRow.study_uid != "")
    by_number = LabelRow.accession_number.in_(select(StudyRow.accession_number).where(here)) & (
        LabelRow.accession_number != ""
    )
    return select(LabelRow).where(LabelRow.state == LabelState.WAITING, by_uid | by_number)


def settled(session: Session, whose: Whose, row: LabelRow) -> bool:
    """Whether a label has now found its study; what fits several waits, what names another patient is refused."""
    by_number = not row.study_uid
    studies = _with_number(session, row.accession_number) if by_number else _with_uid(session, row.study_uid)
    if not studies:
        return False
    if by_number:
        row.found_by, row.accession_number = whose.number(row.accession_number), ""
    if row.state == LabelState.REFUSED:
        row.study_key = studies[0].study_key
        return False
    return _decided(session, whose, row, studies)


def look_again(session: Session, state: Path, since_s: float) -> int:
    """Compare labels anew with studies that changed since they were last compared; how many stand elsewhere now."""
    whose = Whose(session, state)
    return sum(_differs(session, whose, row, studies) for row, studies in [*_to_compare(session, whose, since_s)])


def is_in_doubt(session: Session, state: Path, since_s: float) -> bool:
    """Whether there is a label to compare anew."""
    return next(_to_compare(session, Whose(session, state), since_s), None) is not None


def after_merge(session: Session, state: Path) -> int:
    """Compare labels that were refused for their patient, since two patients are one now; how many are attached."""
    whose = Whose(session, state)
    refused = (LabelRow.state == LabelState.REFUSED, LabelRow.reason == OTHER_PATIENT)
    rows = session.scalars(select(LabelRow).where(*refused)).all()
    studies = _by_hash(session, whose) if any(row.found_by for row in rows) else {}
    for row in rows:
        found = studies.get(row.found_by, ()) if row.found_by else _with_uid(session, row.study_uid)
        if found:
            _decided(session, whose, row, found)
    return sum(row.state == LabelState.ATTACHED for row in rows)


def in_doubt(session: Session) -> dict[str, int]:
    """How many labels are in doubt, by the reason."""
    doubted = select(LabelRow.reason, func.count()).where(LabelRow.reason.in_(DOUBTS)).group_by(LabelRow.reason)
    return dict(session.execute(doubted).all())


def give_to(session: Session, row: LabelRow, study: StudyRow) -> None:
    """A person says which study a label is about: nothing is compared any more."""
    row.found_by = row.named = row.accession_number = ""
    _attach(session, row, study)


def _decided(session: Session, whose: Whose, row: LabelRow, studies: Sequence[StudyRow]) -> bool:
    """Attach a label to the one study that can be meant, or say why there is none."""
    theirs = _taken(session, row.model, [study for study in studies if whose.may_be(row.named, study)])
    if len(theirs) == 1:
        _attach(session, row, theirs[0])
    elif theirs:
        several = len({study.patient_id for study in theirs}) > 1
        _detach(row, LabelState.WAITING, SEVERAL_PATIENTS if several else SEVERAL_STUDIES)
    else:
        _detach(row, LabelState.REFUSED, OTHER_PATIENT, studies[0].study_uid if len(studies) == 1 else "")
    row.settled_s = max(map(_changed_s, studies))
    session.flush()
    return row.state == LabelState.ATTACHED


def _taken(session: Session, model: str, studies: Sequence[StudyRow]) -> Sequence[StudyRow]:
    """Of several studies of one patient under one number, those that the model takes a series of."""
    if len(studies) < 2 or len({study.patient_id for study in studies}) > 1:
        return studies
    keys = [study.study_key for study in studies]
    taken = select(ChoiceRow.study_key).where(
        ChoiceRow.study_key.in_(keys), ChoiceRow.model == model, ChoiceRow.series_uid.is_not(None)
    )
    wanted = set(session.scalars(taken))
    return [study for study in studies if study.study_key in wanted] or studies


def _attach(session: Session, row: LabelRow, study: StudyRow) -> None:
    if row.state == LabelState.ATTACHED and row.study_key == study.study_key:
        return
    row.study_key, row.study_uid, row.patient = study.study_key, study.study_uid, ""
    if not row.unaided:
        row.assisted = row.assisted or result_was_out(session, study.study_key, row.made_s)
    row.state, row.reason = LabelState.ATTACHED, ""
    session.flush()


def _detach(row: LabelRow, state: LabelState, reason: str, study_uid: str = "") -> None:
    """Take a label from its study; the UID is left for a person to see."""
    row.state, row.reason, row.study_key, row.patient, row.study_uid = state, reason, None, "", study_uid


def _differs(session: Session, whose: Whose, row: LabelRow, studies: Sequence[StudyRow]) -> bool:
    before = row.state, row.study_key
    if studies:
        _decided(session, whose, row, studies)
    else:
        _detach(row, LabelState.REFUSED, OTHER_NUMBER, row.study_uid)
    return before != (row.state, row.study_key)


def _with_uid(session: Session, study_uid: str) -> Sequence[StudyRow]:
    return session.scalars(select(StudyRow).where(StudyRow.study_uid == study_uid, StudyRow.state != "held")).all()


def _with_number(session: Session, accession_number: str) -> Sequence[StudyRow]:
    if not accession_number:
        return ()
    here = select(StudyRow).where(StudyRow.accession_number == accession_number, StudyRow.state != "held")
    return session.scalars(here).all()


def _changed(since_s: float) -> ColumnElement[bool]:
    return (StudyRow.state != "held") & or_(StudyRow.last_received_s >= since_s, StudyRow.decided_s >= since_s)


def _changed_s(study: StudyRow) -> float:
    return max(study.last_received_s, study.decided_s or 0.0)


def _later() -> ColumnElement[bool]:
    """A study changed after a label was last compared."""
    return or_(StudyRow.last_received_s > LabelRow.settled_s, StudyRow.decided_s > LabelRow.settled_s)


def _open() -> ColumnElement[bool]:
    """Labels that stand, or are in doubt."""
    return (LabelRow.state == LabelState.ATTACHED) | LabelRow.reason.in_(DOUBTS)


def _named_in(changed: ColumnElement[bool]) -> Select[LabelRow, StudyRow]:
    query = select(LabelRow, StudyRow).join(StudyRow, StudyRow.study_uid == LabelRow.study_uid)
    return query.where(changed, _later(), _open(), LabelRow.named != "", LabelRow.found_by == "")


def _to_compare(session: Session, whose: Whose, since_s: float) -> Iterator[tuple[LabelRow, Sequence[StudyRow]]]:
    """Labels whose studies changed after they were last compared, each with those that may be meant."""
    yield from ((row, [study]) for row, study in session.execute(_named_in(_changed(since_s))).all())
    yield from _of_lost_numbers(session, whose, since_s)
    yield from _of_numbers(session, whose, since_s)


def _of_numbers(session: Session, whose: Whose, since_s: float) -> Iterator[tuple[LabelRow, Sequence[StudyRow]]]:
    """Labels that were sought by the number of a changed study, each with all studies of that number."""
    if session.scalar(select(LabelRow.label_key).where(LabelRow.found_by != "").limit(1)) is None:
        return
    told = select(StudyRow.accession_number, StudyRow.last_received_s, StudyRow.decided_s)
    newest: dict[str, float] = {}
    for number, received_s, decided_s in session.execute(
        told.where(_changed(since_s), StudyRow.accession_number != "")
    ):
        newest[number] = max(newest.get(number, 0.0), received_s, decided_s or 0.0)
    hashes = {whose.number(number): number for number in newest}
    for some in in_parts(list(hashes)):
        for row in session.scalars(select(LabelRow).where(LabelRow.found_by.in_(some), _open())).all():
            number = hashes[row.found_by]
            if newest[number] > row.settled_s and not _is_held(session, row):
                yield row, _with_number(session, number)


def _of_lost_numbers(session: Session, whose: Whose, since_s: float) -> Iterator[tuple[LabelRow, Sequence[StudyRow]]]:
    """Labels whose study changed, and has not the number any more that it was found by."""
    query = select(LabelRow, StudyRow).join(StudyRow, StudyRow.study_key == LabelRow.study_key)
    attached = (LabelRow.found_by != "", LabelRow.state == LabelState.ATTACHED)
    for row, study in session.execute(query.where(_changed(since_s), _later(), *attached)).all():
        if whose.number(study.accession_number) != row.found_by:
            yield row, ()


def _is_held(session: Session, row: LabelRow) -> bool:
    """Whether whose the study of a label is is asked just now: it is decided on when that is settled."""
    study = session.get(StudyRow, row.study_key) if row.study_key is not None else None
    return study is not None and study.state == "held"


def _by_hash(session: Session, whose: Whose) -> Mapping[str, Sequence[StudyRow]]:
    found: dict[str, list[StudyRow]] = {}
    rows: Iterable[StudyRow] = session.scalars(
        select(StudyRow).where(StudyRow.accession_number != "", StudyRow.state != "held")
    )
    for study in rows:
        found.setdefault(whose.number(study.accession_number), []).append(study)
    return found
