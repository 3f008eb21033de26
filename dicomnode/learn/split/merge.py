"""Two patients turn out to be one.

If either was trained on, the one patient leaves every test set, and past verdicts that used it are marked. If neither
was, the test side wins: nothing of the two was ever learnt from.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.errors import Permanent
from dicomnode.index.learning import LookRow, PatientRow, SealedSetRow
from dicomnode.learn.split.keys import patient_key
from dicomnode.learn.split.patients import InIndex, Patients, entered, family, mark_trained, members, root
from dicomnode.learn.values import Split
from dicomnode.learn.versions.record import record

log = structlog.get_logger()

FORGOTTEN = "a patient of this set was forgotten"
"""A mark that says nothing against a verdict."""
UNTRAINED = (Split.TEST, Split.RETENTION, Split.VALIDATION, Split.CALIBRATION, Split.TRAIN)
TRAINED = (Split.TRAIN, Split.VALIDATION, Split.CALIBRATION)


class OneAlready(Permanent):
    """There is nothing to merge."""

    def __init__(self) -> None:
        super().__init__("these are one patient already")


@dataclass(frozen=True)
class Merged:
    """What a merge did."""

    patient: str
    """Key that both count under from now on."""
    split: Split
    left_tests: int
    """Sealed sets that lost the patient."""
    marked: int
    """Past looks whose verdict used it."""

    def words(self) -> str:
        """For a person."""
        if not self.left_tests:
            return f"one patient now, in {self.split}"
        return (
            f"one patient now, in {self.split}: it was trained on, has left {self.left_tests} test set(s), "
            f"and {self.marked} past verdict(s) that used it are marked"
        )


def merge_ids(
    session: Session, secret: bytes, old: tuple[str, str], into: tuple[str, str], *, by: str = "", reason: str = ""
) -> Merged:
    """Merge (issuer, Patient ID) into another, as a person or HL7 ADT^A40 (MRG-1 into PID-3) says; put on record.

    Args:
        session: open transaction.
        secret: `keys.require_split_key`.
        old: who is no longer used.
        into: who stays.
        by: the person, or the system that sent the message.
        reason: in their words; no identity.

    Raises:
        NoPatientId: one of them is empty.
        OneAlready: they are one patient already.
    """
    done = merge(session, secret, patient_key(secret, *old), patient_key(secret, *into), time.time())
    details = {"patient": done.patient[:12], "split": done.split, "left_tests": done.left_tests, "marked": done.marked}
    record(session, "merge", by=by, reason=reason, details=details)
    return done


def merge(session: Session, secret: bytes, old: str, into: str, now_s: float) -> Merged:
    """Let two keys count as one patient, known to us already or not.

    Raises:
        OneAlready: they do so already.
    """
    patients = InIndex(session)
    one = merged(patients, secret, old, into, now_s)
    session.flush()
    _rename(session, set(members(patients, one)), one.patient)
    gone, marked = 0, 0
    if one.trained:
        why = "a patient of this set was merged with one that was trained on"
        gone, marked = unseat(session, family(patients, one), why, now_s)
    log.info("patient.merged", key=one.patient[:12], split=one.split, left_tests=gone, marked=marked)
    return Merged(one.patient, Split(one.split), gone, marked)


def merged(patients: Patients, secret: bytes, old: str, into: str, now_s: float) -> PatientRow:
    """The row that two keys count under from now on; every row that shares their split follows.

    Raises:
        OneAlready: they are one patient already.
    """
    gone, kept = entered(patients, secret, old, now_s), entered(patients, secret, into, now_s)
    if gone.patient == kept.patient:
        raise OneAlready
    everyone = family(patients, gone) | family(patients, kept)
    for row in members(patients, gone).values():
        patients.point(row, kept.patient)
    split = _split(everyone.values())
    trained, seen = (any(getattr(row, name) for row in everyone.values()) for name in ("trained", "looked_at"))
    for row in everyone.values():
        row.split, row.trained, row.looked_at = split, trained, seen
    _exclude_alike(members(patients, kept).values())
    return kept


def bind(session: Session, secret: bytes, old: str, new: str, now_s: float) -> bool:
    """A study came back under another patient: what was learnt from the first bars the second from every test.

    It may be a new pseudonym or a study that was filed wrongly, and nobody says which; so the two are not merged.
    Returns whether anything changed.
    """
    patients = InIndex(session)
    before, after = entered(patients, secret, old, now_s), entered(patients, secret, new, now_s)
    if not before.trained or after.trained:
        return False
    everyone = family(patients, after)
    split = _split((before, *everyone.values()))
    for row in everyone.values():
        row.split, row.trained = split, True
    unseat(session, everyone, "a study of a patient of this set was trained on under another Patient ID", now_s)
    return True


def unseat(session: Session, keys: Iterable[str], why: str, now_s: float) -> tuple[int, int]:
    """Take patients out of every sealed set, and mark the looks that used them; how many of each."""
    gone, day = set(keys), time.strftime("%Y-%m-%d", time.gmtime(now_s))
    sets = [row for row in session.scalars(select(SealedSetRow)) if gone & set(row.patients)]
    marked = 0
    for sealed in sets:
        sealed.patients = [patient for patient in sealed.patients if patient not in gone]
        for look in session.scalars(select(LookRow).where(LookRow.sealed_set == sealed.sealed_set)):
            look.marked = "; ".join(filter(None, (look.marked, f"{day}: {why}")))
            marked += 1
    return len(sets), marked


def bar_trained(session: Session, keys: Iterable[str], now_s: float) -> None:
    """Note, before it begins, that a version is made with these patients, and take them out of every sealed set.

    One stands in such a set where it was merged with a patient of a test after the training set was built.
    """
    mark_trained(session, keys)
    session.flush()
    seated = {patient for patients in session.scalars(select(SealedSetRow.patients)) for patient in patients}
    gone = {patient for patient in seated if (row := standing(session, patient)) is not None and row.trained}
    if gone:
        unseat(session, gone, "a patient of this set was merged with one that is trained on", now_s)


def _rename(session: Session, keys: set[str], patient: str) -> None:
    """In sealed sets a merged patient stands under the key that counts now: looked at once is looked at for good."""
    for sealed in session.scalars(select(SealedSetRow)):
        if keys & set(sealed.patients):
            sealed.patients = sorted({patient if one in keys else one for one in sealed.patients})


def standing(session: Session, key: str) -> PatientRow | None:
    """The row that a key counts under now."""
    patients = InIndex(session)
    row = patients.get(key)
    return None if row is None else root(patients, row)


def _split(rows: Iterable[PatientRow]) -> Split:
    one = list(rows)
    found = {Split(row.split) for row in one}
    order = TRAINED if any(row.trained for row in one) else UNTRAINED
    return next((split for split in order if split in found), Split.TRAIN)


def _exclude_alike(rows: Iterable[PatientRow]) -> None:
    """Who opted out or was forgotten under one key is so under all."""
    one = list(rows)
    for column in ("opted_out_s", "forgotten_s"):
        since = [moment for row in one if (moment := getattr(row, column)) is not None]
        for row in one:
            setattr(row, column, min(since) if since else None)
