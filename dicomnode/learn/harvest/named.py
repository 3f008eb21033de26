"""Which patient a source names, and whether a study is that patient's.

The ID itself is held in memory alone. What is kept are keyed hashes, as the split uses them: for each ID one without
its issuer, and one for each name of its issuer. Two IDs mean one patient where they are equal and no issuer speaks
against it, or where a merge said so.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.index.element_text import PADDING
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import StudyRow
from dicomnode.learn.harvest.patients import issuer_of
from dicomnode.learn.split.keys import number_hash, patient_key, require_split_key, same_id
from dicomnode.learn.split.patients import InIndex, Patients, members

Keys = Sequence[str]
"""Of one ID: its key without an issuer, then one with each name of its issuer."""


@dataclass(frozen=True)
class Named:
    """A patient as a source names one; never written down."""

    patient_id: str = field(repr=False)
    issuers: tuple[str, ...] = field(default=(), repr=False)
    """Names of the one issuer; none: it is not told."""


class Whose:
    """Compares patients within one transaction; the split key is asked for when it is needed."""

    def __init__(self, session: Session, state: Path) -> None:
        self._session, self._state = session, state
        self._studies: dict[int, Keys] = {}

    def kept(self, patients: Iterable[Named]) -> str:
        """What the index keeps of patients that a source names; empty where it names none."""
        told = [one for one in patients if one.patient_id.strip(PADDING)]
        return ";".join(",".join(keys_of(self._secret, one)) for one in told)

    def known_as(self, patients: Iterable[Named]) -> Sequence[str]:
        """Every key that a patient has, the first of the first ID first; those that were merged with it follow."""
        told = [list(keys_of(self._secret, one)) for one in patients if one.patient_id.strip(PADDING)]
        own = [key for keys in told for key in (*keys[1:], keys[0])]
        rows = InIndex(self._session)
        return list(dict.fromkeys([*own, *(key for keys in told for key in sorted(_counts_as(rows, keys)))]))

    def number(self, accession_number: str) -> str:
        """What the index keeps of an accession number whose study is known."""
        return number_hash(self._secret, accession_number)

    def may_be(self, named: str, study: StudyRow) -> bool:
        """Whether a study is of a patient that was named; where one of the two names nobody, nothing speaks against it.

        Args:
            named: as kept.
            study: any study.
        """
        if not named or not study.patient_id.strip(PADDING):
            return True
        patients, theirs = InIndex(self._session), self._of_study(study)
        return any(one_patient(patients, keys.split(","), theirs) for keys in named.split(";"))

    @cached_property
    def _secret(self) -> bytes:
        return require_split_key(self._session, self._state)

    def _of_study(self, study: StudyRow) -> Keys:
        if study.study_key not in self._studies:
            issuer = issuer_of(self._session, self._state, study.study_key)
            named = Named(study.patient_id, (issuer,) if issuer else ())
            self._studies[study.study_key] = keys_of(self._secret, named)
        return self._studies[study.study_key]


def naming(session: Session, keys: Collection[str]) -> list[LabelRow]:
    """Labels without a study whose source names a patient of one of these keys."""
    rows = session.scalars(select(LabelRow).where(LabelRow.named != "", LabelRow.patient == "")).all()
    return [row for row in rows if not set(keys).isdisjoint(row.named.replace(";", ",").split(","))]


def keys_of(secret: bytes, named: Named) -> Keys:
    """The keys of one ID.

    Raises:
        NoPatientId: it is empty.
    """
    issuers = dict.fromkeys(one.strip(PADDING) for one in named.issuers)
    return [patient_key(secret, issuer, named.patient_id) for issuer in ("", *(one for one in issuers if one))]


def one_patient(patients: Patients, one: Keys, other: Keys) -> bool:
    """Whether two IDs mean one patient, merges included."""
    if same_id(one[0]) == same_id(other[0]) and (len(one) == 1 or len(other) == 1 or set(one[1:]) & set(other[1:])):
        return True
    return _was_merged(patients, one, other) or _was_merged(patients, other, one)


def _was_merged(patients: Patients, one: Keys, other: Keys) -> bool:
    """Whether an ID was merged with another; a merge that names no issuer holds under every one."""
    bare, *full = other
    for key in _counts_as(patients, one):
        if key in full:
            return True
        elsewhere = same_id(key) != same_id(one[0])
        if elsewhere and (key == bare or (not full and same_id(key) == same_id(bare))):
            return True
    return False


def _counts_as(patients: Patients, one: Keys) -> set[str]:
    """Keys that count as one patient with an ID; merges of its number under other issuers do not, where one is told."""
    bare, *full = one
    loose = [bare] if full else [bare, *(row.patient for row in patients.of_id(same_id(bare)))]
    told = {key for name in full for key in _group(patients, name)}
    return told | {key for name in loose for key in _group(patients, name) if same_id(key) != same_id(bare)}


def _group(patients: Patients, key: str) -> Iterable[str]:
    row = patients.get(key)
    return () if row is None else members(patients, row)
