"""Two patients turn out to be one: what becomes of tests and past verdicts."""

import pytest
from sqlalchemy.orm import Session

from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow, LookRow, PatientRow, SealedSetRow
from dicomnode.learn.split.keys import patient_key, split_of
from dicomnode.learn.split.merge import OneAlready, bar_trained, bind, merge, merge_ids, standing
from dicomnode.learn.split.patients import InIndex, assign, mark_looked_at, mark_trained
from dicomnode.learn.split.seal import seal
from dicomnode.learn.values import Split

SECRET = bytes(range(32))
HOSPITAL = "Hospital"


def of(split: Split, nth: int = 0) -> str:
    """The nth Patient ID that the hash sends to a split."""
    found = (str(n) for n in range(1000) if split_of(SECRET, patient_key(SECRET, HOSPITAL, str(n))) is split)
    return [next(found) for _ in range(nth + 1)][nth]


def seen(session: Session, patient_id: str, issuer: str = HOSPITAL) -> str:
    return assign(InIndex(session), SECRET, issuer, patient_id, 1.0).patient


def sealed_and_looked_at(session: Session, *patients: str) -> SealedSetRow:
    row = seal(session, "model", patients, 1.0)
    session.add(LookRow(sealed_set=row.sealed_set, look=1, alpha=0.0125, candidate="c" * 64, at_s=6.0))
    return row


def test_a_merged_patient_who_was_trained_on_leaves_every_test_set_and_verdicts_are_marked(index: Index) -> None:
    with index.transaction() as session:
        test, other, train = (
            seen(session, of(Split.TEST)),
            seen(session, of(Split.TEST, 1)),
            seen(session, of(Split.TRAIN)),
        )
        sealed = sealed_and_looked_at(session, test, other)
        mark_trained(session, [train])

        done = merge(session, SECRET, test, train, 86400.0)

        assert (done.split, done.left_tests, done.marked) == (Split.TRAIN, 1, 1)
        assert sealed.patients == [other]
        (look,) = session.query(LookRow).all()
        assert look.marked == "1970-01-02: a patient of this set was merged with one that was trained on"
        assert "left 1 test set(s), and 1 past verdict(s)" in done.words()


def test_of_two_patients_never_trained_on_the_test_side_wins(index: Index) -> None:
    with index.transaction() as session:
        test, train = seen(session, of(Split.TEST)), seen(session, of(Split.TRAIN))
        sealed = sealed_and_looked_at(session, test)

        done = merge(session, SECRET, test, train, 2.0)

        assert (done.patient, done.split, done.left_tests) == (train, Split.TEST, 0)
        assert sealed.patients == [train]  # the key that counts now: never sealed a second time as another
        assert {row.split for row in session.query(PatientRow)} == {Split.TEST}


def test_merges_chain_and_a_later_study_counts_under_the_last(index: Index) -> None:
    with index.transaction() as session:
        keys = [seen(session, str(n)) for n in range(3)]
        merge(session, SECRET, keys[0], keys[1], 2.0)
        merge(session, SECRET, keys[1], keys[2], 3.0)

        assert {seen(session, str(n)) for n in range(3)} == {keys[2]}
        with pytest.raises(OneAlready):
            merge(session, SECRET, keys[2], keys[0], 4.0)


def test_a_merge_of_patients_nobody_has_seen_holds_when_they_come(index: Index) -> None:
    with index.transaction() as session:
        done = merge_ids(
            session, SECRET, (HOSPITAL, "old"), (HOSPITAL, "new"), by="A. Person", reason="registered twice"
        )

        assert seen(session, "old") == seen(session, " new ") == done.patient
        (decision,) = session.query(DecisionRow).all()
        assert (decision.what, decision.by, decision.reason) == ("merge", "A. Person", "registered twice")
        assert "old" not in str(decision.details)


def test_the_id_without_its_issuer_follows_into_the_training_split(index: Index) -> None:
    with index.transaction() as session:
        test, bare, train = (
            seen(session, of(Split.TEST)),
            seen(session, of(Split.TEST), ""),
            seen(session, of(Split.TRAIN)),
        )
        sealed = sealed_and_looked_at(session, bare)
        mark_trained(session, [train])

        merge(session, SECRET, test, train, 2.0)

        assert session.get_one(PatientRow, bare).split == Split.TRAIN
        assert sealed.patients == []
        assert assign(InIndex(session), SECRET, "Elsewhere", of(Split.TEST), 9.0).trained


def test_a_study_that_comes_back_under_another_patient_bars_that_one_from_tests(index: Index) -> None:
    with index.transaction() as session:
        train, test = seen(session, of(Split.TRAIN)), seen(session, of(Split.TEST))
        sealed = sealed_and_looked_at(session, test)

        assert not bind(session, SECRET, train, test, 2.0)
        mark_trained(session, [train])
        assert bind(session, SECRET, train, test, 2.0)

        row = standing(session, test)
        assert row is not None
        assert (row.patient, row.split, row.trained) == (test, Split.TRAIN, True)
        assert sealed.patients == []


def test_who_opted_out_stays_out_after_a_merge(index: Index) -> None:
    with index.transaction() as session:
        one, other = seen(session, "7"), seen(session, "8")
        session.get_one(PatientRow, one).opted_out_s = 3.0

        joined = merge(session, SECRET, one, other, 5.0)

        assert session.get_one(PatientRow, joined.patient).opted_out_s == 3.0
        assert joined.patient == other


def test_marks_reach_every_key_of_a_patient(index: Index) -> None:
    with index.transaction() as session:
        one, other = seen(session, "7"), seen(session, "8")
        merge(session, SECRET, one, other, 2.0)

        mark_looked_at(session, [one])

        assert all(row.looked_at for row in session.query(PatientRow))


def test_a_merge_between_training_set_and_training_leaves_no_trained_patient_in_a_sealed_set(index: Index) -> None:
    with index.transaction() as session:
        test, train = seen(session, of(Split.TEST)), seen(session, of(Split.TRAIN))
        sealed = sealed_and_looked_at(session, test)
        merge(session, SECRET, train, test, 86400.0)  # neither was trained on: the test side wins
        assert sealed.patients == [test]

        bar_trained(session, [train], 86400.0)  # as the training set knows the patient

        assert sealed.patients == []
        (look,) = session.query(LookRow).all()
        assert "is trained on" in look.marked
