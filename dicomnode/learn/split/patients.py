"""The register of patients: each is assigned once, for life.

Keys of one Patient ID under several issuers stand apart, and share split and training: where some systems leave the
issuer out, one patient has two keys.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.learning import PatientRow
from dicomnode.learn.split.keys import HALF, patient_key, same_id, split_of
from dicomnode.learn.values import Split


class Patients(Protocol):
    """Rows of patients, wherever they are kept."""

    def get(self, patient: str) -> PatientRow | None:
        """The row of one key."""

    def enter(self, patient: str, split: Split, now_s: float) -> PatientRow:
        """A new row, kept."""

    def point(self, row: PatientRow, into: str) -> None:
        """Let a row count under another from now on."""

    def merged_with(self, root: str) -> Sequence[PatientRow]:
        """Rows that were merged into one."""

    def of_id(self, half: str) -> Sequence[PatientRow]:
        """Rows whose keys begin so: one Patient ID under any issuer."""


class InIndex:
    """The register in the index."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, patient: str) -> PatientRow | None:
        """The row of one key."""
        return self.session.get(PatientRow, patient)

    def enter(self, patient: str, split: Split, now_s: float) -> PatientRow:
        """A new row, kept."""
        row = PatientRow(patient=patient, split=split, assigned_s=now_s, trained=False, looked_at=False)
        self.session.add(row)
        self.session.flush()
        return row

    def point(self, row: PatientRow, into: str) -> None:
        """Let a row count under another from now on."""
        row.merged_into = into

    def merged_with(self, root: str) -> Sequence[PatientRow]:
        """Rows that were merged into one."""
        return self.session.scalars(select(PatientRow).where(PatientRow.merged_into == root)).all()

    def of_id(self, half: str) -> Sequence[PatientRow]:
        """Rows whose keys begin so."""
        last = half + "f" * HALF
        return self.session.scalars(select(PatientRow).where(PatientRow.patient.between(half, last))).all()


def assign(patients: Patients, secret: bytes, issuer: str, patient_id: str, now_s: float) -> PatientRow:
    """The row that a patient counts under, after merges; made where there is none.

    Raises:
        NoPatientId: there is no Patient ID.
    """
    return entered(patients, secret, patient_key(secret, issuer, patient_id), now_s)


def entered(patients: Patients, secret: bytes, patient: str, now_s: float) -> PatientRow:
    """The row that a key counts under; made where there is none, by the keyed hash alone."""
    known = patients.get(patient)
    if known is not None:
        return root(patients, known)
    others = patients.of_id(same_id(patient))
    row = patients.enter(patient, split_of(secret, patient), now_s)
    for other in others:
        row.split, row.trained, row.looked_at = other.split, other.trained, other.looked_at
    return row


def root(patients: Patients, row: PatientRow) -> PatientRow:
    """The row that another was merged into, or itself."""
    into = patients.get(row.merged_into) if row.merged_into else None
    return into or row


def family(patients: Patients, row: PatientRow) -> dict[str, PatientRow]:
    """Every row that must share a split with this one, by key: merged ones, and those of the same IDs."""
    found: dict[str, PatientRow] = {}
    left = [root(patients, row)]
    while left:
        one = left.pop()
        if one.patient in found:
            continue
        found[one.patient] = one
        left += [*patients.merged_with(one.patient), *patients.of_id(same_id(one.patient)), root(patients, one)]
    return found


def members(patients: Patients, row: PatientRow) -> dict[str, PatientRow]:
    """The rows of one patient, by key: the one that counts, and those merged into it."""
    one = root(patients, row)
    return {one.patient: one} | {other.patient: other for other in patients.merged_with(one.patient)}


def mark_trained(session: Session, keys: Iterable[str]) -> None:
    """Note, before it begins, that a version is made with these patients: they are barred from every test.

    That includes those who only stop a training early, choose among recipes or calibrate.
    """
    _mark(session, keys, "trained")


def mark_looked_at(session: Session, keys: Iterable[str]) -> None:
    """Note that these patients were seen outside the gate: never in a set that is sealed later."""
    _mark(session, keys, "looked_at")


def _mark(session: Session, keys: Iterable[str], column: str) -> None:
    patients = InIndex(session)
    for key in dict.fromkeys(keys):
        row = patients.get(key)
        if row is None or getattr(root(patients, row), column):
            continue
        for one in family(patients, row).values():
            setattr(one, column, True)
