"""The prior study: the newest earlier one of the same patient, and of nobody else."""

import pytest

from dicomnode.choose.prior import earlier_studies
from dicomnode.identity import same_patient
from dicomnode.peers.query import StudyFound
from dicomnode.values import Header

OURS = Header({"PatientID": "P-1", "PatientBirthDate": "19700102", "PatientSex": "F", "StudyDate": "20260304"})


def found(name: str, **told: str) -> StudyFound:
    return StudyFound(name, Header({"PatientID": "P-1", "StudyDate": "20250101", **told}))


@pytest.mark.parametrize(
    "told",
    [
        {"PatientID": "p-1"},
        {"PatientID": ""},
        {"PatientID": "P-12"},
        {"PatientBirthDate": "19700103"},
        {"PatientSex": "M"},
    ],
)
def test_an_answer_about_another_patient_is_not_a_prior(told: dict[str, str]) -> None:
    assert not same_patient(OURS.values, found("1", **told).header.values)


def test_what_only_one_side_tells_does_not_part_a_patient() -> None:
    assert same_patient(OURS.values, found("1", PatientBirthDate="").header.values)


def test_earlier_studies_come_newest_first_and_never_this_one_or_a_later() -> None:
    studies = [
        found("old", StudyDate="20240101"),
        found("this", StudyDate="20260101"),
        found("same day", StudyDate="20260304"),
        found("later", StudyDate="20260305"),
        found("undated", StudyDate=""),
        found("new", StudyDate="20250601"),
    ]

    assert [study.study_uid for study in earlier_studies(OURS, "this", studies)] == ["new", "old"]
