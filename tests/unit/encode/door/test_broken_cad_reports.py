"""Each thing that can be wrong with a CAD report is caught."""

import pytest
from pydicom import Dataset

from dicomnode.encode.door.items import children, concept, tree
from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.cad.made import (
    ANALYSES,
    DETECTIONS,
    LIBRARY,
    MASS,
    PROCESSING,
    detector,
    findings_of,
    found,
    made,
)
from tests.unit.encode.cad.test_mammography import BOX
from tests.unit.encode.door.changes import Change, drop, faults
from tests.unit.encode.examples import Example


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return made("MG", tmp_path_factory.mktemp("cad"), detector(MASS), found(BOX))


def finding(document: Dataset) -> Dataset:
    return findings_of(document)[0]


def center(document: Dataset) -> Dataset:
    return children(finding(document), "111010/DCM")[0]


def image(document: Dataset) -> Dataset:
    return children(document, LIBRARY)[0].ContentSequence[0]


def detection(document: Dataset) -> Dataset:
    return next(item for _, item in tree(document) if concept(item) == "111022/DCM")


def set_code(item: Dataset, value: str, scheme: str = "DCM") -> None:
    code = item.ConceptCodeSequence[0]
    code.CodeValue, code.CodingSchemeDesignator = value, scheme


def point_at(document: Dataset, *place: int) -> None:
    center(document).ContentSequence[0].ReferencedContentItemIdentifier = list(place)


def drop_references(document: Dataset) -> None:
    item = detection(document)
    item.ContentSequence = [child for child in item.ContentSequence if "ReferencedContentItemIdentifier" not in child]


def name_a_side(document: Dataset) -> None:
    (intent,) = children(finding(document), "111056/DCM")
    name = intent.ConceptNameCodeSequence[0]
    name.CodeValue, name.CodingSchemeDesignator = "272741003", "SCT"


CAD_FAULTS: dict[str, Change] = {
    "no summary of detections": (lambda d: drop(d, DETECTIONS), "the Summary of Detections is missing"),
    "no summary of analyses": (lambda d: drop(d, ANALYSES), "the Summary of Analyses is missing"),
    "no overall summary": (lambda d: drop(d, PROCESSING), "Findings Summary is missing"),
    "a success that lists nothing": (
        lambda d: delattr(children(d, DETECTIONS)[0], "ContentSequence"),
        "does not list what was attempted",
    ),
    "failed detections with findings": (
        lambda d: set_code(children(d, DETECTIONS)[0], "111224"),
        "contradicts the Summary of Detections",
    ),
    "findings that the summary denies": (
        lambda d: set_code(children(d, PROCESSING)[0], "111241"),
        "contradicts the findings",
    ),
    "another template": (lambda d: setattr(d.ContentTemplateSequence[0], "TemplateIdentifier", "1500"), "not TID 4000"),
    "another title": (lambda d: setattr(d.ConceptNameCodeSequence[0], "CodeValue", "112000"), "title"),
    "another class": (
        lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.33"),
        "is not the one of its role",
    ),
    "no language": (lambda d: drop(d, "121049/DCM"), "its language"),
    "verified": (lambda d: setattr(d, "VerificationFlag", "VERIFIED"), "UNVERIFIED"),
    "a silent description": (lambda d: setattr(d, "SeriesDescription", "CAD"), "not verified"),
    "no library": (lambda d: drop(d, LIBRARY), "the image library (111028, DCM) is missing"),
    "an image of another study": (
        lambda d: setattr(image(d).ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", uid("elsewhere")),
        "not in the study",
    ),
    "the other breast": (
        lambda d: set_code(children(image(d), "111027/DCM")[0], "73056007", "SCT"),
        "writes an Image Laterality",
    ),
    "no side": (lambda d: drop(image(d), "111027/DCM"), "has no Image Laterality"),
    "another view": (
        lambda d: set_code(children(image(d), "111031/DCM")[0], "399368009", "SCT"),
        "writes an Image View",
    ),
    "no view": (lambda d: drop(image(d), "111031/DCM"), "has no Image View"),
    "no evidence": (
        lambda d: delattr(d, "CurrentRequestedProcedureEvidenceSequence"),
        "not listed as evidence",
    ),
    "a center outside the image": (
        lambda d: setattr(center(d), "GraphicData", [40.5, 15.0]),
        "outside its image of 40 columns and 48 rows",
    ),
    "an outline below the image": (
        lambda d: setattr(children(finding(d), "111041/DCM")[0], "GraphicData", [1, 1, 2, 1, 2, 49, 1, 1]),
        "outside its image of 40 columns and 48 rows",
    ),
    "a center of two points": (lambda d: setattr(center(d), "GraphicData", [1.0, 2.0, 3.0, 4.0]), "not one point"),
    "an open outline": (
        lambda d: setattr(children(finding(d), "111041/DCM")[0], "GraphicData", [1, 1, 2, 1, 2, 2, 1, 2]),
        "not a closed line",
    ),
    "no center": (lambda d: drop(finding(d), "111010/DCM"), "Center (111010, DCM) is missing"),
    "a reference to nothing": (lambda d: point_at(d, 1, 2, 9), "a content item that is not there"),
    "a reference to no image": (lambda d: point_at(d, 1, 3), "is not a relationship of our CAD reports"),
    "a place on no image": (lambda d: delattr(center(d), "ContentSequence"), "names no image of the library"),
    "no rendering intent": (lambda d: drop(finding(d), "111056/DCM"), "Rendering Intent (111056, DCM) is missing"),
    "no tracking UID": (lambda d: drop(finding(d), "112040/DCM"), "Tracking Unique Identifier"),
    "another tracking UID": (
        lambda d: setattr(children(finding(d), "112040/DCM")[0], "UID", uid("another")),
        "under other identifiers than in the SR",
    ),
    "no algorithm": (lambda d: drop(finding(d), "111001/DCM"), "Algorithm Name (111001, DCM) is missing"),
    "a certainty of 140 %": (
        lambda d: setattr(children(finding(d), "111012/DCM")[0].MeasuredValueSequence[0], "NumericValue", "140"),
        "no percentage",
    ),
    "a detection without images": (drop_references, "does not say which images it worked on"),
    "a detection without version": (lambda d: drop(detection(d), "111003/DCM"), "a detection has no Algorithm Version"),
    "another relationship": (
        lambda d: setattr(finding(d), "RelationshipType", "HAS PROPERTIES"),
        "is not a relationship of our CAD reports",
    ),
    "a side that nobody configured": (name_a_side, "writes a laterality (272741003, SCT), and none is configured"),
    "another patient": (lambda d: setattr(d, "PatientID", "X"), "PatientID is not the source's"),
}


@pytest.mark.parametrize("fault", CAD_FAULTS)
def test_a_broken_cad_report_does_not_pass(fault: str, marked: Example) -> None:
    change, said = CAD_FAULTS[fault]

    assert said in faults(marked, Role.CAD_SR, change)


def test_a_whole_cad_report_passes(marked: Example) -> None:
    assert faults(marked, Role.CAD_SR, lambda _: None) == ""
