"""What a CAD report must say (PS3.3 A.35.5, A.35.6, PS3.16 TID 4000, TID 4100)."""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.door.cad_findings import finding_faults
from dicomnode.encode.door.cad_tree import Tree, item_at
from dicomnode.encode.door.content import predecessor_faults
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, code_text, concept, meaning
from dicomnode.encode.door.references import listed
from dicomnode.encode.source import header
from dicomnode.values import Role

ROOTS = {
    "1.2.840.10008.5.1.4.1.1.88.50": ("4000", "111036/DCM"),
    "1.2.840.10008.5.1.4.1.1.88.65": ("4100", "112000/DCM"),
}
"""Template and title of each CAD SR class."""
MAMMOGRAPHY = "4000"
DETECTIONS, ANALYSES, PROCESSING, LIBRARY = "111064/DCM", "111065/DCM", "111017/DCM", "111028/DCM"
SUCCEEDED, FAILED, NOT_ATTEMPTED = "111222/DCM", "111224/DCM", "111225/DCM"
BELOW = {
    (DETECTIONS, SUCCEEDED): ("111063/DCM", "111022/DCM"),
    (DETECTIONS, FAILED): ("111025/DCM", "111022/DCM"),
    (ANALYSES, SUCCEEDED): ("111062/DCM", "111004/DCM"),
    (ANALYSES, FAILED): ("111024/DCM", "111004/DCM"),
}
"""What stands below a summary: a container, and what it holds at least once (TID 4015 to 4018)."""
STATUS = {"111241/DCM": SUCCEEDED, "111242/DCM": SUCCEEDED, "111245/DCM": FAILED}
"""What the detections must say beside each overall summary (CID 6047, CID 6042)."""
WITH_FINDINGS, NOT_FOR_PRESENTATION = "111242/DCM", "111152/DCM"
PROPERTIES = {"TEXT", "CODE", "NUM", "SCOORD", "UIDREF", "IMAGE"}
ALLOWED = {
    ("CONTAINER", "CONTAINS"): {"CONTAINER", "CODE", "IMAGE"},
    ("CONTAINER", "HAS CONCEPT MOD"): {"CODE"},
    ("CODE", "HAS CONCEPT MOD"): {"CODE"},
    ("CODE", "HAS OBS CONTEXT"): {"TEXT", "UIDREF"},
    ("CODE", "HAS PROPERTIES"): PROPERTIES,
    ("CODE", "INFERRED FROM"): {"CODE", "CONTAINER"},
    ("NUM", "HAS CONCEPT MOD"): {"CODE"},
    ("IMAGE", "HAS ACQ CONTEXT"): {"CODE", "TEXT", "DATE", "TIME", "NUM"},
    ("SCOORD", "SELECTED FROM"): {"IMAGE"},
}
"""Relationships that ours use, all allowed by PS3.3 Tables A.35.5-2 and A.35.6-2."""
SIDES = {
    "80248007/SCT": "L",
    "7771000/SCT": "L",
    "73056007/SCT": "R",
    "24028007/SCT": "R",
    "63762007/SCT": "B",
    "51440002/SCT": "B",
}
LATERALITY, VIEW = "111027/DCM", "111031/DCM"


def cad_faults(expected: Expected) -> Iterator[str]:
    """Summaries, findings, places and sides that a CAD report leaves out or gets wrong."""
    document = expected.of(Role.CAD_SR)
    if document is None:
        return
    tree = Tree.of(document)
    for fault in (
        *_root_faults(document),
        *_summary_faults(document),
        *_relationship_faults(document, tree),
        *_library_faults(document, expected),
        *finding_faults(document, expected),
        *predecessor_faults(document, expected),
    ):
        yield f"CAD-SR: {fault}"


def _root_faults(document: Dataset) -> Iterator[str]:
    template, title = ROOTS.get(str(document.get("SOPClassUID", "")), ("", ""))
    named = (document.get("ContentTemplateSequence") or [Dataset()])[0]
    if named.get("TemplateIdentifier") != template:
        yield f"the root is not TID {template}"
    if concept(document) != title:
        yield "its title is not that of its template"
    if (document.get("CompletionFlag"), document.get("VerificationFlag")) != ("COMPLETE", "UNVERIFIED"):
        yield "is not COMPLETE and UNVERIFIED"
    if "not verified" not in str(document.get("SeriesDescription", "")):
        yield "Series Description does not say that the result is not verified"
    if not children(document, "121049/DCM"):
        yield "its language (121049, DCM) is missing"
    if template == MAMMOGRAPHY and not children(document, LIBRARY):
        yield "the image library (111028, DCM) is missing"


def _summary_faults(document: Dataset) -> Iterator[str]:
    """Both summaries with what was attempted below them, and the overall one in agreement with them."""
    for summary, name in ((DETECTIONS, "Summary of Detections"), (ANALYSES, "Summary of Analyses")):
        found = children(document, summary)
        status = code_text(found[0], "ConceptCodeSequence") if found else ""
        if len(found) != 1:
            yield f"the {name} is missing"
        elif status != NOT_ATTEMPTED and not _lists_attempts(found[0], summary, status):
            yield f"the {name} does not list what was attempted"
    overall = [code_text(item, "ConceptCodeSequence") for item in children(document, PROCESSING)]
    if len(overall) != 1 or overall[0] not in STATUS:
        yield "the CAD Processing and Findings Summary is missing"
        return
    if [STATUS[overall[0]]] != [code_text(item, "ConceptCodeSequence") for item in children(document, DETECTIONS)]:
        yield "the CAD Processing and Findings Summary contradicts the Summary of Detections"
    if (overall[0] == WITH_FINDINGS) != _has_findings(document):
        yield "the CAD Processing and Findings Summary contradicts the findings"


def _lists_attempts(summary: Dataset, name: str, status: str) -> bool:
    heading, performed = BELOW.get((name, status), ("", ""))
    return any(children(item, performed) for item in children(summary, heading))


def _has_findings(document: Dataset) -> bool:
    findings = [item for item in Tree.of(document).items if concept(item) == "111059/DCM"]
    intents = [code_text(i, "ConceptCodeSequence") for item in findings for i in children(item, "111056/DCM")]
    return any(intent != NOT_FOR_PRESENTATION for intent in intents)


def _relationship_faults(document: Dataset, tree: Tree) -> Iterator[str]:
    for parent, item in tree.pairs:
        above, relationship = str(parent.get("ValueType", "")), str(item.get("RelationshipType", ""))
        target = item_at(document, item) if "ReferencedContentItemIdentifier" in item else item
        if target is None:
            yield f"{meaning(parent)} refers to a content item that is not there"
            continue
        kind = str(target.get("ValueType", ""))
        if kind not in ALLOWED.get((above, relationship), set()):
            yield f"{meaning(item)}: {above} {relationship} {kind} is not a relationship of our CAD reports"


def _library_faults(document: Dataset, expected: Expected) -> Iterator[str]:
    """Images of the study, listed as evidence, with the side and view that each states itself."""
    evidence = {uid for _, uid in listed(document)}
    for container in children(document, LIBRARY):
        if not container.get("ContentSequence"):
            yield "the image library is empty"
        for entry in container.get("ContentSequence") or ():
            uid = _uid_of(entry)
            if uid not in expected.instances:
                yield "the image library lists an image that is not in the study"
                continue
            if uid not in evidence:
                yield f"{uid} is in the image library and not listed as evidence"
            yield from _stated_faults(entry, header(expected.instances[uid].path))


def _stated_faults(entry: Dataset, image: Dataset) -> Iterator[str]:
    """A side or a view is the image's own statement, or is not written."""
    shared = (image.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    anatomy = (shared.get("FrameAnatomySequence") or [Dataset()])[0]
    own = str(image.get("ImageLaterality") or anatomy.get("FrameLaterality") or "U")
    for item in children(entry, LATERALITY):
        if SIDES.get(code_text(item, "ConceptCodeSequence"), "") != own:
            yield "writes an Image Laterality (111027, DCM) that the image does not state"
    stated = {_code(view) for view in image.get("ViewCodeSequence") or ()}
    for item in children(entry, VIEW) if stated else ():
        if code_text(item, "ConceptCodeSequence") not in stated:
            yield "writes an Image View (111031, DCM) that the image does not state"
    if image.get("Modality") == "MG" and own in {"L", "R", "B"} and not children(entry, LATERALITY):
        yield "a mammogram in the image library has no Image Laterality (111027, DCM)"
    if image.get("Modality") == "MG" and any(stated) and not children(entry, VIEW):
        yield "a mammogram in the image library has no Image View (111031, DCM)"


def _code(item: Dataset) -> str:
    """Value and scheme of a code; empty where it is none."""
    value, scheme = str(item.get("CodeValue") or ""), str(item.get("CodingSchemeDesignator") or "")
    return f"{value}/{scheme}" if value and scheme and item.get("CodeMeaning") else ""


def _uid_of(entry: Dataset) -> str:
    references = entry.get("ReferencedSOPSequence") or [Dataset()]
    return str(references[0].get("ReferencedSOPInstanceUID", ""))
