"""What an SR must say, beyond what validators look at (TID 1500, IHE AI Results)."""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, code_text, concept, groups, meaning, tracking_of, tree
from dicomnode.values import REPORTS, Role

ALLOWED = {
    ("CONTAINER", "CONTAINS"): {"CONTAINER", "CODE", "NUM", "TEXT", "UIDREF", "SCOORD", "IMAGE"},
    ("CONTAINER", "HAS OBS CONTEXT"): {"CODE", "TEXT", "UIDREF"},
    ("CONTAINER", "HAS CONCEPT MOD"): {"CODE", "TEXT"},
    ("CONTAINER", "HAS ACQ CONTEXT"): {"CODE", "NUM", "UIDREF"},
    ("IMAGE", "HAS ACQ CONTEXT"): {"NUM"},
    ("NUM", "HAS CONCEPT MOD"): {"CODE", "TEXT"},
    ("NUM", "INFERRED FROM"): {"SCOORD"},
    ("NUM", "HAS PROPERTIES"): {"NUM"},
    ("CODE", "HAS CONCEPT MOD"): {"CODE"},
    ("TEXT", "HAS CONCEPT MOD"): {"CODE"},
    ("SCOORD", "SELECTED FROM"): {"IMAGE"},
}
"""Relationships that our reports use, all allowed by PS3.3 Table A.35.13-2."""
ANSWERS = (*REPORTS, Role.CAD_SR, Role.SC, Role.PDF)
"""Objects that say what was found, or that nothing was."""
LATERALITY = "272741003/SCT"
SIDES = {0x00200060: "Laterality", 0x00200062: "ImageLaterality", 0x00209072: "FrameLaterality"}


def content_faults(expected: Expected) -> Iterator[str]:
    """What the SR leaves out or gets wrong, and a side that nobody configured."""
    if not any(one.role in ANSWERS for one in expected.encoded):
        yield f"there is no object that tells the answer ({', '.join(ANSWERS)}): every run answers with one"
    for document in expected.reports:
        yield from _root_faults(document)
        yield from _group_faults(document)
        for parent, item in tree(document):
            yield from _item_faults(parent, item)
        yield from (f"SR: {fault}" for fault in predecessor_faults(document, expected))
    yield from _laterality_faults(expected)


def _root_faults(document: Dataset) -> Iterator[str]:
    if [code_text(item, "ConceptCodeSequence") for item in children(document, "121058/DCM")] in ([], [""]):
        yield "SR: Procedure Reported (121058, DCM) is missing"
    if not children(document, "126010/DCM"):
        yield "SR: the Imaging Measurements container (126010, DCM) is missing"
    template = document.get("ContentTemplateSequence") or [Dataset()]
    if template[0].get("TemplateIdentifier") != "1500":
        yield "SR: the root is not TID 1500"
    if not children(document, "121012/DCM"):
        yield "SR: Device Observer UID (121012, DCM) is missing"
    if (document.get("CompletionFlag"), document.get("VerificationFlag")) != ("COMPLETE", "UNVERIFIED"):
        yield "SR: is not COMPLETE and UNVERIFIED"
    if "not verified" not in str(document.get("SeriesDescription", "")):
        yield "SR: Series Description does not say that the result is not verified"


def _group_faults(document: Dataset) -> Iterator[str]:
    found = groups(document)
    if not found:
        yield "SR: there is no measurement group (125007, DCM)"
    for number, group in enumerate(found, 1):
        identifier, uid = tracking_of(group)
        if not identifier:
            yield f"SR: measurement group {number} has no Tracking Identifier (112039, DCM)"
        if not uid:
            yield f"SR: measurement group {number} has no Tracking Unique Identifier (112040, DCM)"
        if not group.get("ContentTemplateSequence"):
            yield f"SR: measurement group {number} names no template"


def _item_faults(parent: Dataset, item: Dataset) -> Iterator[str]:
    kind = str(item.get("ValueType", ""))
    relationship = str(item.get("RelationshipType", ""))
    above = str(parent.get("ValueType", ""))
    if kind not in ALLOWED.get((above, relationship), set()):
        yield f"SR: {meaning(item)}: {above} {relationship} {kind} is not a relationship of our reports"
    if kind == "NUM" and not _has_value(item):
        yield f"SR: {meaning(item)} has no value with units"
    if kind == "SCOORD":
        yield from _outline_faults(item)


def _has_value(item: Dataset) -> bool:
    """A number with its units (PS3.3 C.18.1)."""
    measured = item.get("MeasuredValueSequence") or [Dataset()]
    return measured[0].get("NumericValue") is not None and bool(measured[0].get("MeasurementUnitsCodeSequence"))


def _outline_faults(item: Dataset) -> Iterator[str]:
    """A closed POLYLINE with the image it lies on (PS3.3 C.18.6)."""
    data = list(item.get("GraphicData") or ())
    if item.get("GraphicType") != "POLYLINE":
        yield f"SR: an outline is a {item.get('GraphicType')}, not a POLYLINE"
    if len(data) < 8 or len(data) % 2 or data[:2] != data[-2:]:
        yield "SR: an outline is not a closed line of (column, row) pairs"
    if not any(child.get("ValueType") == "IMAGE" for child in item.get("ContentSequence") or ()):
        yield "SR: an outline names no image"


def predecessor_faults(document: Dataset, expected: Expected) -> Iterator[str]:
    """A revision names every SR it replaces; a first result names none (PS3.3 C.17.2)."""
    named = {
        str(item.ReferencedSOPInstanceUID)
        for study in document.get("PredecessorDocumentsSequence") or ()
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    wanted = {previous.sop_instance_uid for previous in expected.run.predecessors}
    yield from (f"{uid} is replaced and not named as predecessor" for uid in sorted(wanted - named))
    yield from (f"names {uid} as predecessor, which it does not replace" for uid in sorted(named - wanted))


def _laterality_faults(expected: Expected) -> Iterator[str]:
    """No side in any object unless dicom.toml fixes one."""
    rules = expected.rules
    if any(segment.laterality for segment in rules.segments) or any(finding.laterality for finding in rules.findings):
        return
    for one in expected.encoded:
        places = ((visited, tag) for visited in expected.visits(one) for tag in SIDES.keys() & visited.elements.keys())
        sides = {SIDES[tag] for visited, tag in places if str(visited.elements[tag].value or "U") != "U"}
        if sides:
            yield f"{one.role}: writes a side ({', '.join(sorted(sides))}), and none is configured"
    seg = expected.of(Role.SEG)
    if any(concept(item) == LATERALITY for document in expected.reports for _, item in tree(document)):
        yield "SR: writes a laterality (272741003, SCT), and none is configured"
    cad = expected.of(Role.CAD_SR)
    if cad is not None and any(concept(item) == LATERALITY for _, item in tree(cad)):
        yield "CAD-SR: writes a laterality (272741003, SCT), and none is configured"
    for segment in (seg.get("SegmentSequence") or ()) if seg is not None else ():
        codes = segment.get("SegmentedPropertyTypeCodeSequence") or [Dataset()]
        if codes[0].get("SegmentedPropertyTypeModifierCodeSequence"):
            yield "SEG: a segment type has a modifier (a side), and none is configured"
