"""Each thing that can be wrong with a result is caught, with or without a validator installed."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from dicomnode.bundles.dicom_toml import Code
from dicomnode.encode.context import Encoded
from dicomnode.encode.door import CHECKS, faults_of, require_valid
from dicomnode.encode.door.dciodvfy import validator_faults
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, groups, tree
from dicomnode.errors import DoorFault
from dicomnode.values import Predecessor, Role
from tests.phantom import Subject, mr_series, uid
from tests.unit.encode.examples import (
    SEGMENTS,
    Example,
    classification_results,
    classified,
    could_not_results,
    nothing_found_results,
    segmentation_results,
)

OWN_CHECKS = [check for check in CHECKS if check is not validator_faults]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return segmentation_results(mr_series(), tmp_path_factory.mktemp("door"))


def faults(example: Example, role: Role, change: Callable[[Any], object]) -> str:
    """What the door's own checks say once one result was changed."""
    dataset = example.read(role)
    change(dataset)
    made = tuple(Encoded(one.role, dataset if one.role is role else one.dataset) for one in example.made)
    expected = Expected(made, example.run, example.rules, example.series)
    return "; ".join(fault for check in OWN_CHECKS for fault in check(expected))


def group(document: Dataset) -> Dataset:
    return groups(document)[0]


def first(document: Dataset, kind: str) -> Dataset:
    """The first item of a value type in a measurement group."""
    return next(i for g in groups(document) for _, i in tree(g) if i.ValueType == kind)


def drop(item: Dataset, name: str) -> None:
    """Take the items of a name from below another."""
    for child in children(item, name):
        item.ContentSequence.remove(child)


def frame(seg: Dataset) -> Dataset:
    return seg.PerFrameFunctionalGroupsSequence[0]


def shift(seg: Dataset) -> None:
    position = frame(seg).PlanePositionSequence[0]
    position.ImagePositionPatient = [float(position.ImagePositionPatient[0]) + 1.0, 0, 1]


def flip_a_bit(seg: Dataset) -> None:
    seg.PixelData = bytes([seg.PixelData[0] ^ 1]) + seg.PixelData[1:]


def site_with_side(document: Dataset) -> None:
    side, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "272741003", "SCT", "Laterality"
    side.ValueType, side.RelationshipType, side.ConceptNameCodeSequence = "CODE", "HAS CONCEPT MOD", [code]
    children(group(document), "363698007/SCT")[0].ContentSequence = [side]


SR_FAULTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "no tracking identifier": (lambda d: drop(group(d), "112039/DCM"), "no Tracking Identifier"),
    "no tracking UID": (lambda d: drop(group(d), "112040/DCM"), "no Tracking Unique Identifier"),
    "another tracking UID": (
        lambda d: setattr(children(group(d), "112040/DCM")[0], "UID", uid("other")),
        "track segment 1 under different identifiers",
    ),
    "no units": (lambda d: delattr(first(d, "NUM").MeasuredValueSequence[0], "MeasurementUnitsCodeSequence"), "units"),
    "another volume": (
        lambda d: setattr(first(d, "NUM").MeasuredValueSequence[0], "NumericValue", "0.5"),
        "has 0.5 ml, and the SEG's voxels make 0.0120 ml",
    ),
    "circle of many points": (lambda d: setattr(first(d, "SCOORD"), "GraphicType", "CIRCLE"), "not a POLYLINE"),
    "odd coordinates": (
        lambda d: setattr(first(d, "SCOORD"), "GraphicData", list(first(d, "SCOORD").GraphicData)[:-1]),
        "not a closed line",
    ),
    "outline without image": (lambda d: delattr(first(d, "SCOORD"), "ContentSequence"), "names no image"),
    "no outline": (lambda d: drop(groups(d)[2], "111030/DCM"), "no outline"),
    "bad relationship": (lambda d: setattr(first(d, "NUM"), "RelationshipType", "HAS PROPERTIES"), "relationship"),
    "no evidence": (lambda d: delattr(d, "CurrentRequestedProcedureEvidenceSequence"), "not listed as evidence"),
    "incomplete evidence": (
        lambda d: d.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence.pop(0),
        "not listed as evidence",
    ),
    "evidence in another series": (
        lambda d: setattr(
            d.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0], "SeriesInstanceUID", uid("x")
        ),
        "evidence lists",
    ),
    "no procedure reported": (lambda d: drop(d, "121058/DCM"), "Procedure Reported"),
    "no measurements container": (lambda d: drop(d, "126010/DCM"), "Imaging Measurements"),
    "no measurement group": (lambda d: drop(children(d, "126010/DCM")[0], "125007/DCM"), "no measurement group"),
    "no image library": (lambda d: drop(d, "111028/DCM"), "image library"),
    "no device observer": (lambda d: drop(d, "121012/DCM"), "Device Observer UID"),
    "another template": (lambda d: setattr(d.ContentTemplateSequence[0], "TemplateIdentifier", "2000"), "TID 1500"),
    "a meaning of 80 characters": (
        lambda d: setattr(first(d, "NUM").ConceptNameCodeSequence[0], "CodeMeaning", "x" * 80),
        "CodeMeaning is longer than 64",
    ),
    "a code without scheme": (
        lambda d: delattr(first(d, "CODE").ConceptCodeSequence[0], "CodingSchemeDesignator"),
        "CodingSchemeDesignator is missing",
    ),
    "a side": (site_with_side, "laterality"),
    "verified": (lambda d: setattr(d, "VerificationFlag", "VERIFIED"), "UNVERIFIED"),
    "no warning in the description": (lambda d: setattr(d, "SeriesDescription", "Result"), "not verified"),
    "a predecessor it does not replace": (
        lambda d: setattr(d, "PredecessorDocumentsSequence", d.CurrentRequestedProcedureEvidenceSequence),
        "as predecessor, which it does not replace",
    ),
    "a reference out of the study": (
        lambda d: setattr(
            first(d, "SCOORD").ContentSequence[0].ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", uid("elsewhere")
        ),
        "not in the study",
    ),
    "a reference of another class": (
        lambda d: setattr(
            first(d, "SCOORD").ContentSequence[0].ReferencedSOPSequence[0],
            "ReferencedSOPClassUID",
            "1.2.840.10008.5.1.4.1.1.2",
        ),
        "and it is",
    ),
    "a source series out of the study": (
        lambda d: setattr(children(group(d), "121232/DCM")[0], "UID", uid("elsewhere")),
        "source series",
    ),
}
SEG_FAULTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a frame too few": (lambda d: d.PerFrameFunctionalGroupsSequence.pop(), "functional groups for"),
    "pixels cut off": (lambda d: setattr(d, "PixelData", d.PixelData[:-2]), "pixel data"),
    "a voxel more": (flip_a_bit, "voxels make"),
    "an unknown segment": (
        lambda d: setattr(frame(d).SegmentIdentificationSequence[0], "ReferencedSegmentNumber", 9),
        "segment 9, which is not described",
    ),
    "no property type": (
        lambda d: delattr(d.SegmentSequence[0], "SegmentedPropertyTypeCodeSequence"),
        "SegmentedPropertyTypeCodeSequence is missing",
    ),
    "no tracking": (lambda d: delattr(d.SegmentSequence[0], "TrackingUID"), "TrackingUID is missing"),
    "a side": (
        lambda d: setattr(
            d.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0],
            "SegmentedPropertyTypeModifierCodeSequence",
            deepcopy(d.SegmentSequence[0].SegmentedPropertyTypeCodeSequence),
        ),
        "none is configured",
    ),
    "laterality": (lambda d: setattr(d, "Laterality", "L"), "writes a side"),
    "another frame of reference": (lambda d: setattr(d, "FrameOfReferenceUID", uid("x")), "frame of reference"),
    "shifted by a voxel": (shift, "position"),
    "turned": (
        lambda d: setattr(
            d.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0],
            "ImageOrientationPatient",
            [-1, 0, 0, 0, 1, 0],
        ),
        "orientation",
    ),
    "another spacing": (
        lambda d: setattr(d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], "PixelSpacing", ["1.1", "1.1"]),
        "pixel spacing",
    ),
    "another matrix": (lambda d: (setattr(d, "Rows", 8), setattr(d, "Columns", 6)), "matrix"),
    "no source image": (lambda d: delattr(frame(d), "DerivationImageSequence"), "names no source image"),
    "another class": (lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.7"), "SOP class"),
}
BOTH_FAULTS: dict[str, tuple[Callable[[Any], object], str]] = {
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


@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize("name", SR_FAULTS)
def test_a_broken_report_is_caught(name: str, example: Example) -> None:
    change, said = SR_FAULTS[name]

    assert said in faults(example, Role.SR, change)


@pytest.mark.parametrize("name", SEG_FAULTS)
def test_a_broken_segmentation_is_caught(name: str, example: Example) -> None:
    change, said = SEG_FAULTS[name]

    assert said in faults(example, Role.SEG, change)


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


def test_a_revision_that_forgets_what_it_replaces_is_caught(example: Example) -> None:
    earlier = Predecessor(uid("series"), "1.2.840.10008.5.1.4.1.1.88.34", uid("report"))
    run = replace(example.run, predecessors=(earlier,))

    with pytest.raises(DoorFault, match="not named as predecessor"):
        require_valid(example.made, run, example.series, example.rules)


def test_a_missing_report_is_caught(example: Example) -> None:
    with pytest.raises(DoorFault, match="there is no SR"):
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
