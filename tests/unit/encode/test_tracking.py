"""An organ is tracked from study to study, and its UID does not give the patient away."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.tracking import Tracking, patient_key, segment_tracking
from tests.phantom import SUBJECT, mr_series
from tests.unit.encode.examples import BACK, FRONT

KEY = b"k" * 32
LESION = Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure")


def tracked(**changes: str) -> Tracking:
    (image,) = mr_series(slices=1, subject=replace(SUBJECT, **changes))
    return segment_tracking(FRONT, "hippocampus_mr", image, KEY)


def test_an_organ_keeps_its_tracking_uid_across_studies() -> None:
    assert tracked(study="study 1") == tracked(study="study 2")


def test_two_patients_do_not_share_a_tracking_uid() -> None:
    assert tracked(patient_id="A").uid != tracked(patient_id="B").uid


def test_the_issuer_of_a_patient_id_tells_patients_apart() -> None:
    (image,) = mr_series(slices=1)
    before = segment_tracking(FRONT, "task", image, KEY)
    image.IssuerOfPatientID = "Hospital B"

    assert segment_tracking(FRONT, "task", image, KEY).uid != before.uid


def test_structures_sides_tasks_and_keys_have_tracking_uids_of_their_own() -> None:
    (image,) = mr_series(slices=1)
    left = FRONT.model_copy(update={"laterality": Code(value="7771000", scheme="SCT", meaning="Left")})
    tracks = [
        segment_tracking(FRONT, "task", image, KEY),
        segment_tracking(BACK, "task", image, KEY),
        segment_tracking(left, "task", image, KEY),
        segment_tracking(FRONT, "other task", image, KEY),
        segment_tracking(FRONT, "task", image, b"l" * 32),
    ]

    assert len({track.uid for track in tracks}) == len(tracks)
    assert tracks[2].identifier == "Anterior hippocampus, left"


@pytest.mark.parametrize(("patient_id", "category"), [("", FRONT.category), ("PHANTOM-1", LESION)])
def test_without_a_patient_id_and_for_a_lesion_tracking_is_bound_to_the_study(patient_id: str, category: Code) -> None:
    segment = FRONT.model_copy(update={"category": category})
    images = [
        mr_series(slices=1, subject=replace(SUBJECT, study=study, patient_id=patient_id))[0] for study in ("1", "2")
    ]
    first, second = (segment_tracking(segment, "task", image, KEY) for image in images)

    assert first.uid != second.uid


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = patient_key(tmp_path / "state")

    assert len(key) == 32
    assert patient_key(tmp_path / "state") == key
    assert stat.S_IMODE((tmp_path / "state" / "patient.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["patient.key"]
