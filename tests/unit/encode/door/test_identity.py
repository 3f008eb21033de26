"""A result that is somebody else's is caught."""

import pytest
from pydicom import Dataset

from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example

BOTH_FAULTS: dict[str, Change] = {
    "another patient": (lambda d: setattr(d, "PatientID", "SOMEBODY"), "PatientID is not the source's"),
    "another name": (lambda d: setattr(d, "PatientName", "Other^One"), "PatientName is not"),
    "another birth date": (lambda d: setattr(d, "PatientBirthDate", "19700103"), "PatientBirthDate is not"),
    "another sex": (lambda d: setattr(d, "PatientSex", "F"), "PatientSex is not"),
    "another study": (lambda d: setattr(d, "StudyInstanceUID", uid("x")), "StudyInstanceUID is not"),
    "another accession": (lambda d: setattr(d, "AccessionNumber", "ACC-2"), "AccessionNumber is not"),
    "no device UID": (lambda d: d.ContributingEquipmentSequence.clear(), "Device UID"),
    "no manufacturer": (lambda d: setattr(d, "Manufacturer", ""), "Manufacturer is missing or empty (type 1)"),
    "no study ID": (lambda d: delattr(d, "StudyID"), "StudyID is missing (type 2)"),
}


@pytest.mark.parametrize("role", [Role.SEG, Role.SR])
@pytest.mark.parametrize("name", BOTH_FAULTS)
def test_another_identity_is_caught(name: str, role: Role, example: Example) -> None:
    change, said = BOTH_FAULTS[name]

    assert f"{role}: " in faults(example, role, change)
    assert said in faults(example, role, change)


@pytest.mark.parametrize("value", ["1.2.03", "1..2", "2.25." + "9" * 60, "not a uid"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_uid_that_is_none_is_caught(value: str, example: Example) -> None:
    def change(dataset: Dataset) -> None:
        dataset["SeriesInstanceUID"]._value = value

    assert "is no UID" in faults(example, Role.SR, change)
