from collections import Counter
from pathlib import Path

import pytest

from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import PatientRow
from dicomnode.learn.split.keys import (
    KEY_FILE,
    NoPatientId,
    SplitKeyLost,
    patient_key,
    require_split_key,
    split_key,
    split_of,
    study_key_hash,
)
from dicomnode.learn.values import SHARES

SECRET = bytes(range(32))


def assigned(index: Index, state: Path) -> bytes:
    with index.transaction() as session:
        secret = require_split_key(session, state)
        session.add(PatientRow(patient="a" * 64, split="train", assigned_s=0.0))
    return secret


def test_padding_is_no_part_of_a_patient_id_and_case_is() -> None:
    assert patient_key(SECRET, "A", " 12 \0") == patient_key(SECRET, "A ", "12")
    assert patient_key(SECRET, "", "ab") != patient_key(SECRET, "", "AB")
    assert patient_key(SECRET, "", "1 2") != patient_key(SECRET, "", "12")


def test_one_id_under_two_issuers_is_two_patients_in_one_split() -> None:
    one, other, without = (patient_key(SECRET, issuer, "4711") for issuer in ("North", "South", ""))

    assert len({one, other, without}) == 3
    assert len({split_of(SECRET, key) for key in (one, other, without)}) == 1


def test_issuer_and_id_cannot_pass_for_one_another() -> None:
    assert patient_key(SECRET, "A", "BC") != patient_key(SECRET, "AB", "C")


@pytest.mark.parametrize("nobody", ["", "  ", "\0"])
def test_a_study_without_a_patient_id_is_refused(nobody: str) -> None:
    with pytest.raises(NoPatientId):
        patient_key(SECRET, "A", nobody)


def test_keys_tell_nothing_without_the_secret() -> None:
    other = bytes(32)

    assert patient_key(SECRET, "", "1") != patient_key(other, "", "1")
    assert study_key_hash(SECRET, "1.2") != study_key_hash(other, "1.2")
    assert len(patient_key(SECRET, "", "1")) == len(study_key_hash(SECRET, "1.2")) == 64


def test_the_shares_come_out_of_the_hash() -> None:
    found = Counter(split_of(SECRET, patient_key(SECRET, "", str(n))) for n in range(5000))

    assert all(abs(found[split] / 5000 - share) < 0.03 for split, share in SHARES.items())


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    secret = split_key(tmp_path)

    assert split_key(tmp_path) == secret
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / KEY_FILE).parent.iterdir()] == ["split.key"]


def test_a_lost_key_stops_learning(tmp_path: Path, index: Index) -> None:
    assigned(index, tmp_path)
    (tmp_path / KEY_FILE).unlink()

    with index.transaction() as session, pytest.raises(SplitKeyLost, match="from a backup"):
        require_split_key(session, tmp_path)

    assert not (tmp_path / KEY_FILE).exists()


def test_another_key_stops_learning_and_the_old_one_lets_it_go_on(tmp_path: Path, index: Index) -> None:
    secret = assigned(index, tmp_path)
    (tmp_path / KEY_FILE).write_text("00" * 32)
    with index.transaction() as session, pytest.raises(SplitKeyLost, match="another one"):
        require_split_key(session, tmp_path)

    (tmp_path / KEY_FILE).write_text(secret.hex())

    with index.transaction() as session:
        assert require_split_key(session, tmp_path) == secret


def test_a_broken_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "learning").mkdir()
    (tmp_path / KEY_FILE).write_text("not a key")

    with pytest.raises(ConfigFault, match="holds no split key"):
        split_key(tmp_path)
