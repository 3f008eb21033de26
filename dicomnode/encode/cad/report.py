"""The CAD report of one run: Mammography CAD SR or Chest CAD SR, as the source asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept, ComprehensiveSR, ContainerContentItem, LanguageOfContentItemAndDescendants
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicomnode.encode.cad import concepts
from dicomnode.encode.cad.chest import chest_content, is_chest
from dicomnode.encode.cad.findings import Marked, marked_findings
from dicomnode.encode.cad.mammography import is_mammogram, mammography_content
from dicomnode.encode.concepts import LANGUAGES
from dicomnode.encode.equipment import identity, settle
from dicomnode.encode.report.document import predecessors
from dicomnode.encode.report.library import evidence_of
from dicomnode.encode.told import Told
from dicomnode.values import Role


@dataclass(frozen=True)
class Kind:
    """One of the CAD SR classes."""

    fits: Callable[[Told], bool]
    sop_class_uid: str
    template: str
    title: CodedConcept
    content: Callable[[Told, Sequence[Marked]], list[Dataset]]


KINDS = (
    Kind(is_mammogram, "1.2.840.10008.5.1.4.1.1.88.50", "4000", concepts.MAMMOGRAPHY_REPORT, mammography_content),
    Kind(is_chest, "1.2.840.10008.5.1.4.1.1.88.65", "4100", concepts.CHEST_REPORT, chest_content),
)


def cad_report(told: Told) -> Dataset | None:
    """The CAD report; None where the images are neither mammograms nor of the chest, or a finding lies on no image.

    Source: PS3.3 A.35.5, A.35.6, PS3.16 TID 4000, TID 4100.
    """
    kind, findings = next((kind for kind in KINDS if kind.fits(told)), None), marked_findings(told)
    if kind is None or findings is None:
        return None
    document = _document(told, kind)
    document.ContentSequence = Items([*document.ContentSequence, *kind.content(told, findings)])
    settle(document, told.context)
    return document


def _document(told: Told, kind: Kind) -> Dataset:
    """A COMPLETE, UNVERIFIED SR that says nothing yet but its language; highdicom has no class for CAD."""
    context = told.context
    root = ContainerContentItem(name=kind.title, template_id=kind.template)
    root.ContentSequence = LanguageOfContentItemAndDescendants(LANGUAGES[context.node.language])
    document: Dataset = ComprehensiveSR(
        evidence=[context.source, *evidence_of(context.instances)],
        content=root,
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=predecessors(context) or None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **identity(context, Role.CAD_SR),
    )
    document.SOPClassUID = document.file_meta.MediaStorageSOPClassUID = UID(kind.sop_class_uid)
    return document
