"""A label goes to the study of the patient that its source names, and to no other: at once, late, after changes."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import LabelRow
from dicomnode.index.schema import ChoiceRow, StudyRow
from dicomnode.learn.harvest.attaching import (
    OTHER_NUMBER,
    OTHER_PATIENT,
    SEVERAL_PATIENTS,
    SEVERAL_STUDIES,
    after_merge,
    attach,
    is_in_doubt,
    look_again,
)
from dicomnode.learn.harvest.labels import NewLabel, add_labels, give, withdraw
from dicomnode.learn.harvest.named import Named, keys_of, one_patient
from dicomnode.learn.split.keys import require_split_key
from dicomnode.learn.split.merge import merge_ids
from dicomnode.learn.split.patients import InIndex
from dicomnode.learn.values import LabelState, Source
from tests.unit.learn.harvest.labels_made import MODEL, label, study

SECRET = bytes(range(32))
A, B = "Hospital A", "Hospital B"


def stands(index: Index) -> tuple[str, str, str]:
    """State, reason and study of the one label."""
    with index.snapshot() as session:
        row = session.query(LabelRow).one()
        return row.state, row.reason, row.study_uid


def by_number(*ids: str, **changes: object) -> NewLabel:
    return label("", accession_number="A7", of=tuple(map(Named, ids)), source=Source.REPORT, **changes)


def by_uid(*ids: str) -> NewLabel:
    return label("1.1", of=tuple(map(Named, ids)))


def changed(session: Session, at_s: float, **values: str) -> None:
    """Study 1.1 came again."""
    row = session.query(StudyRow).filter(StudyRow.study_uid == "1.1").one()
    for name, value in values.items():
        setattr(row, name, value)
    row.last_received_s = at_s


@pytest.mark.parametrize("made", [by_uid, by_number])
@pytest.mark.parametrize("waits", [True, False])
def test_a_label_whose_source_names_another_patient_is_refused_when_its_study_is_here_and_when_it_comes(
    index: Index, tmp_path: Path, made: type[NewLabel], waits: bool
) -> None:
    with index.transaction() as session:
        if waits:
            assert add_labels(session, [made("P2")], tmp_path).waiting == 1
        study(session, "1.1", accession="A7")
        if waits:
            attach(session, tmp_path)
        else:
            assert add_labels(session, [made("P2")], tmp_path).other_patient == 1

    assert stands(index) == (LabelState.REFUSED, OTHER_PATIENT, "1.1")
    with index.snapshot() as session:
        assert session.query(LabelRow).one().study_key is None


@pytest.mark.parametrize("made", [by_uid, by_number])
def test_one_of_several_ids_of_a_patient_is_enough(index: Index, tmp_path: Path, made: type[NewLabel]) -> None:
    with index.transaction() as session:
        add_labels(session, [made("social 9", "P1")], tmp_path)
        study(session, "1.1", accession="A7")
        attach(session, tmp_path)

    assert stands(index) == (LabelState.ATTACHED, "", "1.1")


def test_neither_the_id_nor_the_number_stands_in_the_index_once_the_study_is_known(
    index: Index, tmp_path: Path
) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7", patient="Q-SECRET-1")
        add_labels(session, [by_number("Q-SECRET-2")], tmp_path)

    with index.snapshot() as session:
        row = session.query(LabelRow).one()
        told = {column.name: str(getattr(row, column.name)) for column in LabelRow.__table__.columns}
    assert "SECRET" not in str(told)
    assert (row.accession_number, len(row.found_by)) == ("", 64)


@pytest.mark.parametrize(("other", "words"), [("P2", SEVERAL_PATIENTS), ("P1", SEVERAL_STUDIES)])
@pytest.mark.parametrize("late", [True, False])
def test_a_number_that_fits_two_studies_goes_to_neither_and_waits_in_words_even_if_one_comes_late(
    index: Index, tmp_path: Path, other: str, words: str, late: bool
) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        if late:
            add_labels(session, [by_number()], tmp_path)
            assert stands_in(session) == LabelState.ATTACHED
        study(session, "1.2", accession="A7", patient=other).last_received_s = 5.0
        if late:
            assert is_in_doubt(session, tmp_path, 2.0)
            assert look_again(session, tmp_path, 2.0) == 1
        else:
            add_labels(session, [by_number()], tmp_path)
        assert not is_in_doubt(session, tmp_path, 0.0)

    assert stands(index) == (LabelState.WAITING, words, "")


def stands_in(session: Session) -> str:
    return session.query(LabelRow).one().state


def test_of_two_studies_with_one_number_the_named_patients_is_meant(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        add_labels(session, [by_number("P2")], tmp_path)
    assert stands(index) == (LabelState.REFUSED, OTHER_PATIENT, "1.1")

    with index.transaction() as session:
        study(session, "1.2", accession="A7", patient="P2").last_received_s = 5.0
        look_again(session, tmp_path, 2.0)

    assert stands(index) == (LabelState.ATTACHED, "", "1.2")


def test_of_two_studies_of_one_patient_with_one_number_the_one_that_the_model_takes_is_meant(
    index: Index, tmp_path: Path
) -> None:
    with index.transaction() as session:
        first, second = study(session, "1.1", accession="A7"), study(session, "1.2", accession="A7")
        add_labels(session, [by_number("P1")], tmp_path)
        for one, series in ((first, None), (second, "2.1")):
            session.add(
                ChoiceRow(
                    study_key=one.study_key, content_digest="d", route="r", model=MODEL, series_uid=series, verdicts=[],
                    decided_s=5.0,
                )
            )  # fmt: skip
        second.decided_s = 5.0
        look_again(session, tmp_path, 2.0)

    assert stands(index) == (LabelState.ATTACHED, "", "1.2")


@pytest.mark.parametrize("made", [by_uid, by_number])
def test_a_study_that_turns_out_to_be_another_patients_loses_the_label_and_gets_it_back_with_the_patient(
    index: Index, tmp_path: Path, made: type[NewLabel]
) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        add_labels(session, [made("P1")], tmp_path)
        changed(session, 5.0, patient_id="P2")
        look_again(session, tmp_path, 2.0)
    assert stands(index) == (LabelState.REFUSED, OTHER_PATIENT, "1.1")

    with index.transaction() as session:
        changed(session, 6.0, patient_id="P1")
        look_again(session, tmp_path, 2.0)
    assert stands(index) == (LabelState.ATTACHED, "", "1.1")


def test_a_study_whose_number_is_corrected_loses_the_label_that_was_found_by_the_old_one(
    index: Index, tmp_path: Path
) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        add_labels(session, [by_number("P1")], tmp_path)
        changed(session, 5.0, accession_number="A8")
        look_again(session, tmp_path, 2.0)
    assert stands(index) == (LabelState.REFUSED, OTHER_NUMBER, "1.1")

    with index.transaction() as session:
        study(session, "1.2", accession="A7").last_received_s = 6.0
        look_again(session, tmp_path, 2.0)
    assert stands(index) == (LabelState.ATTACHED, "", "1.2")


def test_a_study_that_is_held_meanwhile_keeps_its_label_until_that_is_settled(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        add_labels(session, [by_number("P1")], tmp_path)
        changed(session, 5.0, patient_id="P2", state="held")

        assert look_again(session, tmp_path, 2.0) == 0

    assert stands(index)[0] == LabelState.ATTACHED


@pytest.mark.parametrize("made", [by_uid, by_number])
@pytest.mark.parametrize("before", [True, False])
def test_a_merge_makes_two_ids_one_patient_before_and_after(
    index: Index, tmp_path: Path, made: type[NewLabel], before: bool
) -> None:
    with index.transaction() as session:
        merge = (session, require_split_key(session, tmp_path), ("", "P2"), ("", "P1"))
        if before:
            merge_ids(*merge)
        study(session, "1.1", accession="A7")
        add_labels(session, [made("P2")], tmp_path)
        if not before:
            assert after_merge(session, tmp_path) == 0
            merge_ids(*merge)
            assert after_merge(session, tmp_path) == 1

    assert stands(index) == (LabelState.ATTACHED, "", "1.1")


def test_a_person_decides_where_the_node_is_in_doubt_and_nowhere_else(index: Index, tmp_path: Path) -> None:
    with index.transaction() as session:
        study(session, "1.1", accession="A7")
        (key,) = add_labels(session, [by_number("P2")], tmp_path).keys
        with pytest.raises(ConfigFault, match=r"no study 1\.9"):
            give(session, key, "1.9")

        give(session, key, "1.1")

        changed(session, 5.0, description="came again")
        assert look_again(session, tmp_path, 2.0) == 0
        with pytest.raises(ConfigFault, match="not in doubt"):
            give(session, key, "1.1")
        withdraw(session, key, "wrong")
        with pytest.raises(ConfigFault, match="not in doubt"):
            give(session, key, "1.1")


def same(session: Session, one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two (issuer, ID) mean one patient, asked both ways."""
    rows = InIndex(session)
    keys = [keys_of(SECRET, Named(patient_id, (issuer,) if issuer else ())) for issuer, patient_id in (one, other)]
    found = one_patient(rows, keys[0], keys[1])
    assert found == one_patient(rows, keys[1], keys[0])
    return found


def test_an_issuer_tells_patients_apart_only_where_both_sides_name_one(index: Index) -> None:
    with index.transaction() as session:
        assert same(session, (A, "1"), (A, " 1 "))
        assert same(session, (A, "1"), ("", "1"))
        assert not same(session, (A, "1"), (B, "1"))
        assert not same(session, (A, "1"), (A, "2"))


@pytest.mark.parametrize(("old", "into", "one", "other", "found"), [
    ((A, "1"), (A, "2"), (A, "1"), (A, "2"), True),
    ((A, "1"), (A, "2"), ("", "1"), (A, "2"), True),
    ((A, "1"), (A, "2"), (B, "1"), (A, "2"), False),
    ((A, "1"), (A, "2"), (B, "2"), (A, "1"), False),
    (("", "1"), ("", "2"), (A, "1"), (A, "2"), True),
    (("", "1"), ("", "2"), (A, "1"), (B, "1"), False),
    ((A, "1"), (B, "1"), (A, "1"), (B, "1"), True),
    ((A, "1"), (A, "2"), (A, "1"), (A, "3"), False),
])  # fmt: skip
def test_a_merge_holds_under_the_issuers_that_it_names(
    index: Index, old: tuple[str, str], into: tuple[str, str], one: tuple[str, str], other: tuple[str, str], found: bool
) -> None:
    with index.transaction() as session:
        merge_ids(session, SECRET, old, into)

        assert same(session, one, other) is found
