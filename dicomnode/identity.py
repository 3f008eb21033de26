"""Whether two things are about one patient."""

from collections.abc import Mapping

TELLING = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
"""What must not differ where both sides tell it; both must tell the ID."""


def same_patient(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """The same Patient ID on both sides, and nothing else told that differs; by DICOM keyword."""
    told = [(one.get(keyword, "").strip(), other.get(keyword, "").strip()) for keyword in TELLING]
    return all(told[0]) and all(mine == theirs for mine, theirs in told if mine and theirs)
