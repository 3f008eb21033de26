"""ADT^A40 merges patients as the command does: once, wholly or not at all, and accepted when it is durable."""

from pathlib import Path

import pytest
from sqlalchemy import select

from dicomnode.config.learning import Hl7
from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow, HarvestedRow, LabelRow, PatientRow, SealedSetRow
from dicomnode.learn.reports.hl7.answer import Answering
from dicomnode.learn.reports.hl7.frames import Frame
from dicomnode.learn.split.keys import KEY_FILE, patient_key, require_split_key, split_key, split_of
from dicomnode.learn.split.patients import InIndex, assign, mark_trained
from dicomnode.learn.split.seal import seal
from dicomnode.learn.values import Split
from tests.unit.learn.reports.reports_made import LEARN, oru, study
from tests.unit.learn.reports.test_hl7 import labels, told


@pytest.fixture
def answering(index: Index, tmp_path: Path) -> Answering:
    return Answering(index, LEARN, tmp_path)


def adt(old: str = "P2^^^HOSPITAL", into: str = "P1^^^HOSPITAL", *, control_id: str = "M9", more: str = "") -> str:
    """An ADT^A40 that merges one patient into another."""
    return (
        f"MSH|^~\\&|ADT|HOSPITAL|NODE|AI|20260102||ADT^A40^ADT_A39|{control_id}|P|2.5\r"
        f"EVN|A40|20260102\rPID|||{into}||SECRET^NAME||19500101|F\rMRG|{old}\r{more}"
    )


def decisions(index: Index) -> list[DecisionRow]:
    with index.snapshot() as session:
        return list(session.scalars(select(DecisionRow)))


def key(folder: Path, patient_id: str, issuer: str = "HOSPITAL") -> str:
    return patient_key(split_key(folder), issuer, patient_id)


def test_a_merge_message_makes_two_ids_one_patient_and_says_on_record_who_said_so(
    index: Index, answering: Answering, tmp_path: Path
) -> None:
    raw = answering.answer(Frame(adt().encode()))

    assert raw is not None
    assert (b"|ACK^A40^ACK|" in raw, b"MSA|AA|M9|1 merge(s)" in raw) == (True, True)
    with index.snapshot() as session:
        assert session.get_one(PatientRow, key(tmp_path, "P2")).merged_into == key(tmp_path, "P1")
    (decision,) = decisions(index)
    assert (decision.what, decision.by) == ("merge", "HL7 ADT^A40 of ADT at HOSPITAL")


def test_nothing_of_a_merge_message_names_the_patient_in_the_index(index: Index, answering: Answering) -> None:
    told(answering, adt("Q-SECRET-2^^^HOSPITAL", "Q-SECRET-1^^^HOSPITAL"))

    assert "SECRET" not in str([vars(row) for row in decisions(index)])
    with index.snapshot() as session:
        assert "SECRET" not in str([(row.object_uid, row.reason) for row in session.scalars(select(HarvestedRow))])


def test_the_same_merge_again_does_nothing_twice(index: Index, answering: Answering) -> None:
    told(answering, adt())

    assert told(answering, adt()) == ("AA", "known already")
    assert told(answering, adt(control_id="M10")) == ("AA", "one patient already")
    assert len(decisions(index)) == 1


def of(folder: Path, split: Split) -> str:
    """A Patient ID that the hash sends to a split."""
    secret = split_key(folder)
    ids = (str(n) for n in range(1000))
    return next(one for one in ids if split_of(secret, patient_key(secret, "HOSPITAL", one)) is split)


@pytest.mark.parametrize(("trained", "side", "seated"), [(True, Split.TRAIN, 0), (False, Split.TEST, 1)])
def test_a_merge_by_message_between_test_and_training_ends_on_the_side_that_gives_nothing_away(
    index: Index, answering: Answering, tmp_path: Path, trained: bool, side: Split, seated: int
) -> None:
    test, train = of(tmp_path, Split.TEST), of(tmp_path, Split.TRAIN)
    with index.transaction() as session:
        secret, rows = require_split_key(session, tmp_path), InIndex(session)
        keys = [assign(rows, secret, "HOSPITAL", one, 1.0).patient for one in (test, train)]
        seal(session, "model", [keys[0]], 1.0)
        if trained:
            mark_trained(session, [keys[1]])

    assert told(answering, adt(f"{test}^^^HOSPITAL", f"{train}^^^HOSPITAL"))[0] == "AA"

    with index.snapshot() as session:
        assert {row.split for row in session.scalars(select(PatientRow))} == {side}
        assert len(session.scalars(select(SealedSetRow)).one().patients) == seated


def test_labels_that_were_refused_for_their_patient_come_to_their_study_with_the_merge(
    index: Index, answering: Answering
) -> None:
    with index.transaction() as session:
        study(session)
    told(answering, oru(patient="P2"))
    assert set(labels(index, "refused")) == {0, 1}

    told(answering, adt())

    assert {state for _, state in labels(index).values()} == {"attached"}


def test_each_group_and_each_id_is_merged_with_that_of_its_issuer(
    index: Index, answering: Answering, tmp_path: Path
) -> None:
    more = "PID|||P5\rMRG|P6^^^HOSPITAL\r"

    said = told(answering, adt("9^^^USA^SS~P2^^^HOSPITAL^MR~V1^^^X^PI", "9^^^USA^SS~P1^^^HOSPITAL^MR", more=more))

    assert said == ("AA", "2 merge(s)")
    with index.snapshot() as session:
        into = {row.patient: row.merged_into for row in session.scalars(select(PatientRow)) if row.merged_into}
    assert into == {
        key(tmp_path, "P2"): key(tmp_path, "P1"), key(tmp_path, "P6"): key(tmp_path, "P5", issuer=""),
    }  # fmt: skip


def test_an_issuer_is_called_as_in_the_images(index: Index, tmp_path: Path) -> None:
    learn = LEARN.model_copy(update={"hl7": Hl7(issuers={"HOSPITAL": ""})})

    told(Answering(index, learn, tmp_path), adt())

    with index.snapshot() as session:
        assert session.get_one(PatientRow, key(tmp_path, "P2", "")).merged_into == key(tmp_path, "P1", "")


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (adt().partition("MRG")[0], "AE", "no MRG segment"),
        (adt(""), "AE", "MRG-1 names no patient"),
        (adt(into=""), "AE", "PID-3 names no patient"),
        (adt("P1^^^HOSPITAL"), "AE", "name one patient by one ID"),
        (adt("P2^^^OTHER"), "AE", "no ID of PID-3 is of the issuer"),
        (adt(into="P1^^^HOSPITAL~P3^^^HOSPITAL"), "AE", "several IDs of PID-3"),
        (adt(more="MRG|P7^^^HOSPITAL\r"), "AE", "PID-3 names no patient"),
        (adt(more="PID|||P5\rMRG|\r"), "AE", "MRG-1 names no patient"),
        (adt().replace("A40", "A34"), "AR", "only ORU R01 and ADT A40"),
    ],
)
def test_a_merge_that_does_not_say_who_is_whom_does_nothing_at_all(
    index: Index, answering: Answering, message: str, code: str, words: str
) -> None:
    said = told(answering, message)

    assert (said[0], words in said[1]) == (code, True), said
    with index.snapshot() as session:
        assert session.scalars(select(PatientRow)).all() == []
    assert decisions(index) == []


def test_without_the_split_key_a_merge_is_not_accepted_and_its_sender_sends_it_again(
    index: Index, answering: Answering, tmp_path: Path
) -> None:
    told(answering, adt())
    kept = (tmp_path / KEY_FILE).read_bytes()
    (tmp_path / KEY_FILE).unlink()
    again = adt("P4^^^HOSPITAL", control_id="M11")

    assert told(answering, again)[0] == "AR"

    (tmp_path / KEY_FILE).write_bytes(kept)
    assert told(answering, again) == ("AA", "1 merge(s)")


def test_a_report_of_a_lost_split_key_is_not_accepted(index: Index, answering: Answering, tmp_path: Path) -> None:
    told(answering, adt())
    (tmp_path / KEY_FILE).unlink()

    assert told(answering, oru())[0] == "AR"
    with index.snapshot() as session:
        assert session.scalars(select(LabelRow)).all() == []
