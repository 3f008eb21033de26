"""The door lets right results pass and says everything that is wrong with the others."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.context import Encoded
from dicomnode.encode.door import faults_of, require_valid
from dicomnode.encode.door.expected import Expected
from dicomnode.errors import DoorFault
from dicomnode.values import Predecessor, Role
from tests.phantom import Subject, mr_series, uid
from tests.unit.encode.door.changes import site_with_side
from tests.unit.encode.examples import (
    SEGMENTS,
    Example,
    classification_results,
    classified,
    could_not_results,
    nothing_found_results,
    segmentation_results,
)


def test_a_revision_that_forgets_what_it_replaces_is_caught(example: Example) -> None:
    earlier = Predecessor(uid("series"), "1.2.840.10008.5.1.4.1.1.88.34", uid("report"))
    run = replace(example.run, predecessors=(earlier,))

    with pytest.raises(DoorFault, match="not named as predecessor"):
        require_valid(example.made, run, example.series, example.rules)


def test_a_missing_report_is_caught(example: Example) -> None:
    with pytest.raises(DoorFault, match="there is no object that tells the answer"):
        require_valid(example.made[:1], example.run, example.series, example.rules)


def test_every_fault_is_named_at_once(example: Example) -> None:
    report = example.read(Role.SR)
    report.PatientID, report.Manufacturer = "SOMEBODY", ""
    made = (example.made[0], Encoded(Role.SR, report))

    with pytest.raises(DoorFault, match=r"PatientID is not.*Manufacturer is missing"):
        require_valid(made, example.run, example.series, example.rules)


def test_a_fault_tells_no_patients_data(example: Example) -> None:
    report = example.read(Role.SR)
    report.PatientName, report.AccessionNumber = "Secret^Name", "SECRET"

    expected = Expected((Encoded(Role.SR, report),), example.run, example.rules, example.series)

    assert "secret" not in "; ".join(faults_of(expected)).lower()


def test_a_configured_side_passes(tmp_path: Path, example: Example) -> None:
    left = Code(value="7771000", scheme="SCT", meaning="Left")
    segments = tuple(segment.model_copy(update={"laterality": left}) for segment in SEGMENTS.segments)
    rules = SEGMENTS.model_copy(update={"segments": segments})
    report = example.read(Role.SR)
    site_with_side(report)
    made = (example.made[0], Encoded(Role.SR, report))

    said = faults_of(Expected(made, example.run, rules, example.series))

    assert not any("laterality (" in fault for fault in said)


@pytest.mark.parametrize("answer", ["segmentation", "nothing found", "classification", "could not analyse"])
def test_what_we_encode_passes(answer: str, tmp_path: Path) -> None:
    one = {
        "segmentation": lambda: segmentation_results(mr_series(), tmp_path),
        "nothing found": lambda: nothing_found_results(tmp_path),
        "classification": lambda: classification_results(tmp_path, classified(0.91)),
        "could not analyse": lambda: could_not_results(tmp_path),
    }[answer]()

    require_valid(one.made, one.run, one.series, one.rules)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI", "ignore:The value length")
def test_what_is_wrong_with_the_source_is_not_held_against_the_result(tmp_path: Path) -> None:
    images = mr_series(subject=Subject(patient_id=""))
    for number, image in enumerate(images):
        image["SOPInstanceUID"]._value = f"1.2.999.0{number}.5"  # a component with a leading zero
        image.file_meta["MediaStorageSOPInstanceUID"]._value = f"1.2.999.0{number}.5"

    example = segmentation_results(images, tmp_path)

    assert faults_of(Expected(example.made, example.run, example.rules, example.series)) == []
