"""Each thing that can be wrong with a report is caught, with or without a validator installed."""

import pytest

from dicomnode.encode.door.items import children, groups
from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.door.changes import Change, drop, faults, first, group, site_with_side
from tests.unit.encode.examples import Example

SR_FAULTS: dict[str, Change] = {
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
    "no outline": (lambda d: drop(groups(d)[0], "111030/DCM"), "no outline"),
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


@pytest.mark.filterwarnings("ignore:The value length")
@pytest.mark.parametrize("name", SR_FAULTS)
def test_a_broken_report_is_caught(name: str, example: Example) -> None:
    change, said = SR_FAULTS[name]

    assert said in faults(example, Role.SR, change)
