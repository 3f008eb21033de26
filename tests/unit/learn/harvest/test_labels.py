"""Labels are kept once, wait for their study, contradict one another, and are taken back."""

from pathlib import Path

import pytest

from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import LabelRow, PatientRow
from dicomnode.index.schema import DeliveryRow, ResultRow, RunRow, StudyRow
from dicomnode.learn.harvest.attaching import attach
from dicomnode.learn.harvest.labels import add_labels, withdraw
from dicomnode.learn.harvest.patients import key_patients, opt_out
from dicomnode.learn.harvest.resolve import Resolved, conflicts, resolved
from dicomnode.learn.values import LabelState, Source
from tests.unit.learn.harvest.labels_made import MODEL, label, study


def rows(index: Index) -> list[LabelRow]:
    with index.snapshot() as session:
        return list(session.query(LabelRow).order_by(LabelRow.label_key))


def given(index: Index, folder: Path) -> list[Resolved]:
    with index.transaction() as session:
        key_patients(session, folder, 0.0)
        return resolved(session, MODEL)


def test_a_label_of_an_unknown_study_waits_and_is_attached_when_the_study_arrives(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        assert add_labels(session, [label("1.1")], tmp_path).waiting == 1
        assert attach(session, tmp_path) == 0
    with index.transaction() as session:
        study(session, "1.1")
        assert attach(session, tmp_path) == 1

    (row,) = rows(index)
    assert (row.state, row.study_uid, row.study_key) == (LabelState.ATTACHED, "1.1", 1)


def test_an_accession_number_is_forgotten_once_its_study_is_known(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        add_labels(session, [label("", accession_number="A7")], tmp_path)
    assert rows(index)[0].accession_number == "A7"

    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        attach(session, tmp_path)

    (row,) = rows(index)
    assert (row.state, row.study_uid, row.accession_number) == (LabelState.ATTACHED, "1.1", "")


def test_a_study_that_is_held_for_its_identity_gets_no_label_yet(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1", state="held")
        assert add_labels(session, [label("1.1")], tmp_path).waiting == 1


def test_the_same_object_gives_nothing_twice(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        assert len(add_labels(session, [label(object_uid="9.1")], tmp_path).keys) == 1
        assert add_labels(session, [label(object_uid="9.1")], tmp_path).known == 1

    assert len(rows(index)) == 1


def test_a_known_label_that_was_withdrawn_does_not_come_back_by_itself(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        (key,) = add_labels(session, [label(object_uid="9.1")], tmp_path).keys
        withdraw(session, key, "wrong patient")
        add_labels(session, [label(object_uid="9.1")], tmp_path)

    assert [row.state for row in rows(index)] == [LabelState.WITHDRAWN]
    with index.transaction() as session, pytest.raises(ConfigFault, match="withdrawn already"):
        withdraw(session, key, "again")


def test_a_newer_object_of_the_same_reader_on_the_same_finding_replaces_the_older(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        add_labels(session, [label(object_uid="9.2", tracking_uid="5.1", value=0.0, made_s=200.0)], tmp_path)
        add_labels(
            session, [label(object_uid="9.1", tracking_uid="5.1", value=1.0, made_s=100.0)], tmp_path
        )  # came late

    assert [(row.value, row.state) for row in rows(index)] == [
        (0.0, LabelState.ATTACHED),
        (1.0, LabelState.WITHDRAWN),
    ]


def test_a_document_replaces_its_predecessors_and_another_content_of_the_same_object(
    index: Index, tmp_path: Path
) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        add_labels(session, [label(object_uid="9.1")], tmp_path)
        add_labels(session, [label(object_uid="9.2", replaces=("9.1",), value=0.0)], tmp_path)
        add_labels(session, [label(object_uid="9.2", object_digest="d2", value=1.0)], tmp_path)

    assert [row.state for row in rows(index)] == [LabelState.WITHDRAWN, LabelState.WITHDRAWN, LabelState.ATTACHED]


def test_contradictions_are_kept_and_the_source_rank_decides_then_the_newest(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        add_labels(
            session,
            [
                label(value=0.0, source=Source.TABLE, made_s=900.0, who="a table"),
                label(value=1.0, source=Source.SR, made_s=100.0, who="Reader^One"),
                label(value=0.0, source=Source.SR, made_s=200.0, who="Reader^Two"),
            ],
            tmp_path,
        )

    (one,) = given(index, tmp_path)
    assert (one.values, one.source, one.who, one.conflicts) == ({0: 0.0}, Source.SR, ("Reader^Two",), 1)
    with index.snapshot() as session:
        (conflict,) = conflicts(session)
    assert (conflict.used.who, [row.who for row in conflict.overruled]) == ("Reader^Two", ["Reader^One"])


def test_a_clock_that_runs_ahead_makes_no_label_the_newest_for_ever(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        add_labels(session, [label(made_s=4e9)], tmp_path)

    assert rows(index)[0].made_s < 4e9


def test_labels_of_a_study_whose_patient_is_asked_just_now_are_not_used_and_keep_their_key(
    index: Index, tmp_path: Path
) -> None:
    with index.transaction() as session:
        study(session, "1.1")
        add_labels(session, [label("1.1")], tmp_path)
    (before,) = given(index, tmp_path)

    with index.transaction() as session:
        one = session.query(StudyRow).one()
        one.state, one.patient_id, one.last_received_s = "held", "P2", 4e9  # as the stray image says

    assert given(index, tmp_path) == []
    assert [row.patient for row in rows(index)] == [before.patient]


def test_a_patient_who_opted_out_gives_no_labels_whatever_the_issuer_or_the_merge(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        for number, patient in ((1, "P1"), (2, "P2"), (3, "P3")):
            study(session, f"1.{number}", patient=patient)
            add_labels(session, [label(f"1.{number}")], tmp_path)
        key_patients(session, tmp_path, 0.0)
        first, second = (row.patient for row in session.query(LabelRow).order_by(LabelRow.label_key).limit(2))
        session.add(PatientRow(patient=second, split="train", assigned_s=1.0, merged_into=first))
        session.flush()
        opt_out(session, tmp_path, patient_id="P1", issuer="another system")

    assert [one.study_uid for one in given(index, tmp_path)] == ["1.3"]


def test_a_study_without_a_patient_id_is_never_learnt_from(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1", patient="")
        add_labels(session, [label("1.1")], tmp_path)

    assert given(index, tmp_path) == []


def result_sent(index: Index, at_s: float) -> None:
    """A result of another model for study 1 that was stored at the PACS."""
    with index.transaction() as session:
        session.add(
            RunRow(
                run_key="r", study_key=1, model="other", model_digest="d", series_uid="2.1", profile="standard",
                priority="routine", destinations=["pacs"], status="done", created_s=1.0,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            ResultRow(
                sop_instance_uid="8.1", run_key="r", role="SR", sop_class_uid="c", series_uid="s", study_uid="1.1",
                transfer_syntax_uid="t", file="f", digest="d", created_s=1.0,
            )
        )  # fmt: skip
        session.flush()
        session.add(DeliveryRow(sop_instance_uid="8.1", destination="pacs", status="stored", queued_s=1.0, sent_s=at_s))


@pytest.mark.parametrize(("made_s", "declared", "assisted"), [
    (1000.0, None, False), (4000.0, None, False), (4900.0, None, True), (9000.0, None, True), (9000.0, False, False),
    (1000.0, True, True),
])  # fmt: skip
def test_a_label_made_after_our_result_was_out_is_assisted(
    index: Index, tmp_path: Path, made_s: float, declared: bool | None, assisted: bool
) -> None:
    with index.transaction() as session:
        study(session, "1.1")
    result_sent(index, 5000.0)

    with index.transaction() as session:
        add_labels(session, [label(made_s=made_s, assisted=declared)], tmp_path)

    assert rows(index)[0].assisted is assisted
