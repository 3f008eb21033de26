"""What speaks for a new candidate: patients labelled since the last one, and drift."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn
from dicomnode.index.learning import AlarmRow, LabelRow, LearningRow, PatientRow
from dicomnode.index.learnings import CANCELLED
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from dicomnode.learn.asking import Trigger
from dicomnode.learn.split.keys import patient_key, require_split_key, same_id
from dicomnode.learn.values import LabelState, What
from dicomnode.learn.versions.in_use import scopes_of
from dicomnode.values import Header

DRIFT_SHARE = 0.1
"""After a drift alarm this share of the labels suffices; without any, drift makes no candidate."""
NO_IMAGES = ("SR", "KO", "PR", "SEG", "RTSTRUCT", "DOC")
"""Modalities of what is made of images: by what machine says nothing of theirs."""


@dataclass(frozen=True)
class New:
    """Patients whose first label of a model came in since its last candidate was asked for."""

    patients: int
    positives: int
    """Patients with their first label that says a finding is there."""

    def __str__(self) -> str:
        return f"{self.patients} newly labelled patient(s), {self.positives} newly positive"


def learning_models(learn: Learn) -> tuple[str, ...]:
    """The models that labels are mapped to, or that have settings of their own."""
    return tuple(sorted({*learn.models, *(entry.model for entry in learn.map)}))


def scopes_to_learn(session: Session, learn: Learn, model: str) -> Mapping[str, Collection[int] | None]:
    """For whom candidates of a model are made ([learn.models.NAME] scope), and from which studies; None: from all.

    One for everybody, or one for each site or scanner that labelled studies come from.
    """
    setting = learn.models.get(model)
    if setting is None or not setting.scope:
        return {"": None}
    labelled = select(LabelRow.study_key).where(LabelRow.model == model, LabelRow.state == LabelState.ATTACHED)
    first = (
        select(func.min(InstanceRow.instance_key))
        .join(SeriesRow, SeriesRow.series_key == InstanceRow.series_key)
        .where(InstanceRow.current, InstanceRow.own_result.is_(False), InstanceRow.study_key.in_(labelled))
        .where(SeriesRow.modality.not_in(NO_IMAGES))
        .group_by(InstanceRow.series_key)
    )
    found: dict[str, set[int]] = {}
    rows = select(InstanceRow.study_key, InstanceRow.header).where(InstanceRow.instance_key.in_(first))
    for study_key, header in session.execute(rows):
        for scope in scopes_of(learn, Header(header)):
            if scope.startswith(f"{setting.scope}:"):
                found.setdefault(scope, set()).add(study_key)
    return dict(sorted(found.items()))


def last_asked_s(session: Session, model: str, scope: str = "") -> float:
    """When the last candidate of a model and scope was asked for, whatever became of it; 0: never."""
    asked = LearningRow.model == model, LearningRow.scope == scope, LearningRow.state != CANCELLED
    return session.scalar(select(func.max(LearningRow.started_s)).where(*asked)) or 0.0


def new_labels(
    session: Session, state: Path, model: str, scope: str = "", studies: Collection[int] | None = None
) -> New:
    """How many patients are newly labelled; several studies of one patient count once.

    Args:
        session: open.
        state: folder that holds the split key.
        model: folder name of the bundle.
        scope: whose last candidate it is that they are newer than.
        studies: keys of those that count; None: all.

    Raises:
        SplitKeyLost: patients can no longer be told apart as they were.
    """
    since_s = last_asked_s(session, model, scope)
    first_s: dict[str, float] = {}
    positive_s: dict[str, float] = {}
    for patient, at_s, is_positive in _labelled(session, state, model, studies):
        first_s[patient] = min(at_s, first_s.get(patient, at_s))
        if is_positive:
            positive_s[patient] = min(at_s, positive_s.get(patient, at_s))
    return New(*(sum(at_s > since_s for at_s in times.values()) for times in (first_s, positive_s)))


def trigger_of(
    session: Session, state: Path, learn: Learn, model: str, scope: str = "", studies: Collection[int] | None = None
) -> tuple[Trigger, str] | None:
    """Why a candidate should be made tonight, with words for a person; None: nothing speaks for it."""
    new = new_labels(session, state, model, scope, studies)
    if new.patients >= learn.min_new_patients or new.positives >= learn.min_new_positives:
        return Trigger.LABELS, f"{new} since the last candidate"
    enough = (
        new.patients >= DRIFT_SHARE * learn.min_new_patients or new.positives >= DRIFT_SHARE * learn.min_new_positives
    )
    if new.patients and enough and (alarm := _drift(session, model, scope)):
        return Trigger.DRIFT, f"{alarm}; {new} since the last candidate"
    return None


def _labelled(
    session: Session, state: Path, model: str, studies: Collection[int] | None
) -> Iterator[tuple[str, float, bool]]:
    """Patient, when the label could first be used, and whether it says that a finding is there."""
    secret, kept = require_split_key(session, state), _Kept(session)
    query = (
        select(StudyRow.patient_id, StudyRow.first_received_s, LabelRow)
        .join(StudyRow, StudyRow.study_key == LabelRow.study_key)
        .where(LabelRow.model == model, LabelRow.state == LabelState.ATTACHED)
    )
    for patient_id, received_s, label in session.execute(query):
        if studies is not None and label.study_key not in studies:
            continue
        if not patient_id.strip() or (label.what == What.PRESENCE and label.value is None):
            continue
        patient = kept.root(same_id(patient_key(secret, "", patient_id)))
        if patient not in kept.out:
            positive = label.value == 1 if label.what == What.PRESENCE else bool(label.file)
            yield patient, max(received_s, label.at_s), positive


class _Kept:
    """Merges and those who are left out, by the half of a patient's key that every issuer shares."""

    def __init__(self, session: Session) -> None:
        rows = session.scalars(select(PatientRow)).all()
        self._into = {same_id(row.patient): same_id(row.merged_into) for row in rows if row.merged_into}
        gone = [row for row in rows if row.opted_out_s is not None or row.forgotten_s is not None]
        self.out = {self.root(same_id(row.patient)) for row in gone}

    def root(self, patient: str) -> str:
        seen = {patient}
        while (into := self._into.get(patient)) is not None and into not in seen:
            patient = into
            seen.add(into)
        return patient


def _drift(session: Session, model: str, scope: str) -> str:
    alarm = AlarmRow.model == model, AlarmRow.kind == "drift", AlarmRow.cleared_s.is_(None)
    query = select(AlarmRow.words).where(*alarm, AlarmRow.at_s > last_asked_s(session, model, scope))
    return session.scalars(query.order_by(AlarmRow.at_s.desc()).limit(1)).first() or ""
