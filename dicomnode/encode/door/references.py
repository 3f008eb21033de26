"""What a result refers to: instances of the same study alone, every one of them listed as evidence."""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.context import Encoded
from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, concept, references, tree
from dicomnode.values import REPORTS, Role

EVIDENCE = "CurrentRequestedProcedureEvidenceSequence"
SR_REFERENCES = ("ContentSequence", EVIDENCE)
IMAGE_REFERENCES = (
    "ReferencedSeriesSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "SourceImageSequence",
)
REFERENCES: dict[Role, tuple[str, ...]] = {
    Role.SEG: IMAGE_REFERENCES,
    Role.SR: SR_REFERENCES,
    Role.SR_OHIF: SR_REFERENCES,
    Role.CAD_SR: SR_REFERENCES,
    Role.KOS: SR_REFERENCES,
    Role.PMAP: IMAGE_REFERENCES,
    Role.GSPS: ("ReferencedSeriesSequence", "GraphicAnnotationSequence", "SoftcopyVOILUTSequence"),
    Role.RTSTRUCT: ("ROIContourSequence", "ReferencedFrameOfReferenceSequence"),
    Role.SC: ("SourceImageSequence",),
    Role.PDF: ("SourceInstanceSequence",),
}
"""Where an object refers to instances of its study."""


def reference_faults(expected: Expected) -> Iterator[str]:
    """References that lead out of the study, and those that the evidence leaves out."""
    for one in expected.encoded:
        yield from _unresolved(one, expected)
        yield from _misplaced(one, expected)
        if one.role in REPORTS:
            yield from _evidence_faults(one, expected)


def _unresolved(one: Encoded, expected: Expected) -> Iterator[str]:
    for sop_class_uid, uid in expected.references(one, REFERENCES.get(one.role, ())):
        known = expected.known.get(uid)
        if known is None:
            yield f"{one.role}: refers to {uid}, which is not in the study"
        elif known[0] != sop_class_uid:
            yield f"{one.role}: refers to {uid} as {sop_class_uid}, and it is {known[0]}"


def _misplaced(one: Encoded, expected: Expected) -> Iterator[str]:
    """Instances listed in a series or a study that they are not of."""
    for visited in expected.visits(one):
        is_study = visited.place == (EVIDENCE,)
        if is_study and str(visited.dataset.get("StudyInstanceUID")) != expected.run.study.study_uid:
            yield f"{one.role}: evidence of another study"
    for series in (v.dataset for v in expected.visits(one) if v.place[-1:] == ("ReferencedSeriesSequence",)):
        for _, uid in references(series):
            if uid in expected.known and expected.known[uid][1] != str(series.get("SeriesInstanceUID", "")):
                yield f"{one.role}: lists {uid} in another series than its own"


def _evidence_faults(one: Encoded, expected: Expected) -> Iterator[str]:
    """Evidence: every instance referred to, and every one analysed, in its own series (PS3.3 C.17.2.3)."""
    document = one.dataset
    evidence = {uid: series_uid for series_uid, uid in listed(document)}
    wanted = {uid for _, uid in expected.references(one, ("ContentSequence",))}
    for uid in sorted(wanted - set(evidence)):
        yield f"SR: {uid} is referred to and not listed as evidence"
    for uid, series_uid in evidence.items():
        if uid in expected.known and expected.known[uid][1] != series_uid:
            yield f"SR: evidence lists {uid} in series {series_uid}"
    library = {uid for item in children(document, "111028/DCM") for _, uid in references(item)}
    if not library & set(expected.instances):
        yield "SR: the image library (111028, DCM) lists no instance of the study"
    yield from _series_faults(document, {series_uid for _, series_uid in expected.known.values()})


def listed(document: Dataset) -> Iterator[tuple[str, str]]:
    """Series and SOP Instance UID of all evidence of this study."""
    for study in document.get(EVIDENCE) or ():
        for series in study.get("ReferencedSeriesSequence") or ():
            for item in series.get("ReferencedSOPSequence") or ():
                yield str(series.get("SeriesInstanceUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))


def _series_faults(document: Dataset, series_uids: set[str]) -> Iterator[str]:
    """Source Series for Segmentation (121232, DCM) names a series of the study."""
    for _, item in tree(document):
        if concept(item) == "121232/DCM" and str(item.get("UID", "")) not in series_uids:
            yield f"SR: source series {item.get('UID', '')} is not in the study"
