"""Mammography CAD: the content of TID 4000."""

from collections.abc import Sequence

from pydicom import Dataset

from dicomnode.encode.cad import concepts
from dicomnode.encode.cad.findings import (
    Marked,
    algorithm_of,
    certainty,
    is_presented,
    place,
    rendering_intent,
    tracking,
)
from dicomnode.encode.cad.items import CONTAINS, INFERRED, PROPERTY, code, container, text
from dicomnode.encode.cad.library import Entry, Library, image_library
from dicomnode.encode.cad.performed import (
    algorithm,
    images_read,
    processing_summary,
    summary_of_analyses,
    summary_of_detections,
)
from dicomnode.encode.concepts import coded
from dicomnode.encode.told import Told

MODALITY = "MG"


def is_mammogram(told: Told) -> bool:
    """Whether the images are of a mammography unit."""
    return any(instance.header.text("Modality") == MODALITY for instance in told.context.instances)


def mammography_content(told: Told, findings: Sequence[Marked]) -> list[Dataset]:
    """What stands below the root, after the language (TID 4000 rows 3 to 9)."""
    library = _library(told, findings)
    return [
        *image_library(library, told.context, concepts.BREASTS),
        _overall(told, findings, library),
        summary_of_detections(told, images_read(library.places())),
        summary_of_analyses(),
    ]


def _library(told: Told, findings: Sequence[Marked]) -> Library:
    """Every mammogram, and each frame that a finding lies on."""
    read = [i for i in told.context.instances if i.header.text("Modality") == MODALITY]
    whole = [Entry(instance.sop_class_uid, instance.sop_instance_uid) for instance in read]
    return Library(tuple(dict.fromkeys([*whole, *(marked.entry for marked in findings)])))


def _overall(told: Told, findings: Sequence[Marked], library: Library) -> Dataset:
    """The summary with its words and each finding below it (TID 4001, 4002 rows 5 and 11)."""
    status = processing_summary(told, any(is_presented(marked) for marked in findings))
    words = [
        text(PROPERTY, concepts.IMPRESSION_DESCRIPTION, told.content.summary),
        *algorithm(told.context, PROPERTY),
    ]
    impressions = [_impression(told, marked, library) for marked in findings]
    return code(CONTAINS, concepts.PROCESSING, status, [*words, *impressions])


def _impression(told: Told, marked: Marked, library: Library) -> Dataset:
    """One finding as an impression of its own (TID 4003)."""
    return container(
        INFERRED, concepts.IMPRESSION, [rendering_intent(marked), _single_image_finding(told, marked, library)]
    )


def _single_image_finding(told: Told, marked: Marked, library: Library) -> Dataset:
    """A finding on one image (TID 4006 rows 1 to 8)."""
    below = [
        rendering_intent(marked),
        *tracking(marked),
        *algorithm_of(told.context, marked, PROPERTY),
        *certainty(marked),
        *place(marked, library),
    ]
    return code(CONTAINS, concepts.FINDING, coded(marked.shown.concept), below)
