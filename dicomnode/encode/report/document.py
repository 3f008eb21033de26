"""One SR document: TID 1500 around measurement groups and sentences, in a series of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from dicomnode.encode.concepts import (
    COMMENT,
    INTENDED_USE,
    LANGUAGE_OF_ITEM,
    LANGUAGES,
    QUALITATIVE_EVALUATIONS,
    SUMMARY,
)
from dicomnode.encode.context import Context
from dicomnode.encode.equipment import identity, observer, settle
from dicomnode.encode.language import ENGLISH, sentence
from dicomnode.encode.report.library import evidence_of, image_library
from dicomnode.encode.report.procedure import procedures_reported
from dicomnode.values import Predecessor, Role

CONTAINS = RelationshipTypeValues.CONTAINS


@dataclass(frozen=True)
class Content:
    """What one report says."""

    title: CodedConcept
    groups: Sequence[ContentSequence]
    """Measurement groups (TID 1410, 1411, 1501); at least one."""
    summary: str
    """The answer in a sentence or two."""
    codes: tuple[CodeContentItem, ...] = ()
    """Qualitative evaluations of the analysis as a whole."""
    texts: tuple[TextContentItem, ...] = ()
    comments: tuple[str, ...] = ()
    notes: tuple[TextContentItem, ...] = ()
    """What other rooms remarked, after the comments."""
    comparison: tuple[str, ...] = ()
    """The part of the summary that compares with the prior study."""
    objects: tuple[Dataset, ...] = ()
    """Further evidence: our own SEG."""


def structured_report(context: Context, content: Content, role: Role = Role.SR) -> Dataset:
    """A COMPLETE, UNVERIFIED Comprehensive 3D SR (PS3.3 A.35.13, PS3.16 TID 1500)."""
    report = MeasurementReport(
        observation_context=observer(context),
        procedure_reported=procedures_reported(context),
        imaging_measurements=content.groups[:1],
        title=content.title,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(LANGUAGES[context.node.language]),
    )
    report[0].ContentSequence.append(_evaluations(context, content))
    document: Dataset = Comprehensive3DSR(
        evidence=[context.source, *evidence_of(context.instances), *content.objects],
        content=report[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=predecessors(context) or None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **identity(context, role),
    )
    _insert_groups(document, context, content)
    settle(document, context)
    return document


def text_item(name: CodedConcept, words: str) -> TextContentItem:
    """A sentence of the report."""
    return TextContentItem(name=name, value=words, relationship_type=CONTAINS)


def told_item(context: Context, name: CodedConcept, words: str) -> TextContentItem:
    """A sentence that dicom.toml or another room gives; one that is known in English alone says so in its language."""
    told = context.heard(words)
    item = text_item(name, sentence(words if told is None else told))
    if told is None:
        english = CodeContentItem(LANGUAGE_OF_ITEM, LANGUAGES[ENGLISH], RelationshipTypeValues.HAS_CONCEPT_MOD)
        item.ContentSequence = ContentSequence([english])
    return item


def code_item(name: CodedConcept, value: CodedConcept) -> CodeContentItem:
    """A coded answer about the analysis as a whole."""
    return CodeContentItem(name=name, value=value, relationship_type=CONTAINS)


def _insert_groups(document: Dataset, context: Context, content: Content) -> None:
    """The measurement groups, and before them the image library; highdicom need not copy and go through them."""
    items = list(document.ContentSequence)
    at = next(n for n, item in enumerate(items) if item.name == codes.DCM.ImagingMeasurements)
    items[at].ContentSequence = Items([item for group in content.groups for item in group])
    document.ContentSequence = Items([*items[:at], image_library(context.instances), *items[at:]])


def _evaluations(context: Context, content: Content) -> ContainerContentItem:
    """What holds for the whole analysis (TID 1500 row 12): summary first, statements of dicom.toml last."""
    model = context.rules.model
    container = ContainerContentItem(name=QUALITATIVE_EVALUATIONS, relationship_type=CONTAINS)
    container.ContentSequence = ContentSequence(
        [
            text_item(SUMMARY, content.summary),
            *content.codes,
            *content.texts,
            *(text_item(COMMENT, sentence(words)) for words in content.comments),
            *content.notes,
            *(told_item(context, COMMENT, words) for words in model.statements),
            told_item(context, INTENDED_USE, model.intended_use),
        ]
    )
    return container


def predecessors(context: Context) -> list[Dataset]:
    """Every SR that this one replaces (Predecessor Documents Sequence, PS3.3 C.17.2)."""
    return [_predecessor(previous, context.run.study.study_uid) for previous in context.run.predecessors]


def _predecessor(previous: Predecessor, study_uid: str) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID, item.SeriesInstanceUID = study_uid, previous.series_uid
    item.SOPClassUID, item.SOPInstanceUID = previous.sop_class_uid, previous.sop_instance_uid
    return item
