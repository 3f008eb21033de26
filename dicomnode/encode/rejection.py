"""Our own rejection note: results that a PACS must no longer show, since the images they were made of were taken back.

A Key Object Selection with the title of a rejection (IHE RAD Imaging Object Change Management; TID 2010, CID 7011).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode import __version__
from dicomnode.config.tables import Node
from dicomnode.encode.door.identity import COPIED, text
from dicomnode.encode.equipment import MAKER, SERIES_NUMBER
from dicomnode.encode.source import UTF_8, Sources
from dicomnode.encode.uids import result_series_uid, result_uid
from dicomnode.errors import DoorFault
from dicomnode.values import REJECTIONS, Role

NAME = "ConceptNameCodeSequence"
REASON = "AI results withdrawn: the images they were made of were rejected or corrected"


@dataclass(frozen=True)
class Note:
    """What a rejection note says."""

    run_key: str
    code: str
    """Key of REJECTIONS."""
    rejected: Sequence[Dataset]
    """The results, as they were sent."""
    made_at: datetime


def rejection_note(note: Note, sources: Sources, node: Node) -> Dataset:
    """The note, about the patient and study as the PACS holds them now.

    Args:
        note: which results, and why.
        sources: an image of the study as it is now, or one of the results where no image is left.
        node: station, institution and UID root.

    Raises:
        DoorFault: the note does not say what it must; it is not to be sent.
    """
    content = KeyObjectSelection(
        document_title=CodedConcept(note.code, "DCM", REJECTIONS[note.code]),
        referenced_objects=list(note.rejected),
        description=REASON,
    )
    document: Dataset = KeyObjectSelectionDocument(
        evidence=list(note.rejected),
        content=content,
        series_instance_uid=result_series_uid(note.run_key, Role.REJECTION, node.uid_root),
        series_number=SERIES_NUMBER[Role.REJECTION],
        sop_instance_uid=result_uid(note.run_key, Role.REJECTION, node.uid_root),
        instance_number=1,
        manufacturer=MAKER,
        institution_name=node.institution or None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    for item in document.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            del item[NAME]  # highdicom names them, and TID 2010 does not
    _settle(document, note, sources, node)
    require_valid_note(document, note, sources)
    return document


def require_valid_note(document: Dataset, note: Note, sources: Sources) -> None:
    """Let a note pass that names every result, none besides, and the right patient.

    Raises:
        DoorFault: names what is wrong.
    """
    faults = list(_faults(document, note, sources))
    if faults:
        raise DoorFault(f"{len(faults)} fault(s) in a rejection note: " + "; ".join(faults))


def _settle(document: Dataset, note: Note, sources: Sources, node: Node) -> None:
    """Identity as it is now, and the run's moment for the clock's."""
    source = sources.headers[0]
    for keyword in COPIED:
        if keyword in source:
            document.add(source[keyword])
    document.SpecificCharacterSet = UTF_8
    document.add_new("PatientName", "PN", sources.patient_name)
    document.InstanceCreationDate = document.ContentDate = document.SeriesDate = f"{note.made_at:%Y%m%d}"
    document.InstanceCreationTime = document.ContentTime = document.SeriesTime = f"{note.made_at:%H%M%S.%f}"
    document.SeriesDescription = "AI result, not verified: withdrawn"
    document.ManufacturerModelName, document.SoftwareVersions = MAKER, __version__
    document.StationName = node.station_name[:16]
    for item in document.get("ContributingEquipmentSequence") or ():
        item.ContributionDateTime = f"{note.made_at:%Y%m%d%H%M%S.%f}"


def _faults(document: Dataset, note: Note, sources: Sources) -> Iterator[str]:
    wanted = {str(result.SOPInstanceUID) for result in note.rejected}
    listed = {
        str(item.ReferencedSOPInstanceUID)
        for study in document.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    if not wanted or listed != wanted:
        yield "it does not list exactly the results withdrawn"
    for keyword in COPIED:
        here = sources.patient_name if keyword == "PatientName" else text(sources.headers[0], keyword)
        if text(document, keyword) != here:
            yield f"{keyword} is not the study's"
