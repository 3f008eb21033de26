"""What of a report is about its own study: not what was marked on a prior's images, nor what stands under history."""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.door.items import concept, references

EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
OTHER_SECTIONS = frozenset((
    "11329-0/LN", "18834-2/LN", "55114-3/LN", "18785-6/LN", "55115-0/LN", "55108-5/LN", "55752-0/LN", "18783-1/LN",
    "121060/DCM", "121068/DCM", "121066/DCM", "121109/DCM", "121062/DCM", "121110/DCM", "121074/DCM",
))  # fmt: skip
"""History, Previous Findings, Prior Procedure Descriptions, Indications for Procedure, Request, Patient Presentation,
Clinical Information, Recommendations (PS3.16 CID 7001, and its codes of old)."""


def uids_elsewhere(document: Dataset, study_uid: str) -> frozenset[str]:
    """SOP Instance UIDs that a document's evidence names as those of other studies alone (PS3.3 C.17.2)."""
    own: set[str] = set()
    other: set[str] = set()
    for keyword in EVIDENCE:
        for study in document.get(keyword) or ():
            of = own if str(study.get("StudyInstanceUID", "")) == study_uid else other
            of.update(uid for _, uid in references(study))
    return frozenset(other - own)


def is_of_this_study(item: Dataset, elsewhere: frozenset[str]) -> bool:
    """Whether an item is about its own study and time, by its heading and the images that it refers to."""
    if concept(item) in OTHER_SECTIONS:
        return False
    named = {uid for _, uid in references(item)}
    return not named or not named <= elsewhere


def items_of_this_study(document: Dataset, elsewhere: frozenset[str]) -> Iterator[Dataset]:
    """Every content item that is about its own study, depth first."""
    for item in document.get("ContentSequence") or ():
        if is_of_this_study(item, elsewhere):
            yield item
            yield from items_of_this_study(item, elsewhere)
