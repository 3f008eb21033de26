"""Chest CAD: the content of TID 4100, for radiographs and CT of the chest."""

from collections.abc import Sequence

from pydicom import Dataset

from dicomnode.encode.cad import concepts
from dicomnode.encode.cad.findings import (
    Marked,
    algorithm_of,
    certainty,
    chest_finding,
    is_presented,
    location,
    place,
    rendering_intent,
    sizes,
    tracking,
)
from dicomnode.encode.cad.items import CONTAINS, INFERRED, MODIFIER, OBSERVATION, code
from dicomnode.encode.cad.library import Entry, Library, image_library
from dicomnode.encode.cad.performed import (
    images_read,
    processing_summary,
    series_read,
    summary_of_analyses,
    summary_of_detections,
)
from dicomnode.encode.told import Told

RADIOGRAPHS = ("CR", "DX")
CT = "CT"
BODY_PARTS = ("CHEST", "THORAX", "LUNG")
"""How Body Part Examined begins (PS3.16 Annex L)."""
REGIONS = {
    ("51185008", "SCT"),
    ("43799004", "SCT"),
    ("39607008", "SCT"),
    ("T-D3000", "SRT"),
    ("T-28000", "SRT"),
}
"""Chest, thoracic cavity, lung."""


def is_chest(told: Told) -> bool:
    """Whether the images are radiographs or CT of the chest, as they say, or the model where they say nothing."""
    source, model = told.context.source, told.context.rules.model
    fitting = [i.header for i in told.context.instances if i.header.text("Modality") in (*RADIOGRAPHS, CT)]
    if not fitting:
        return False
    part = fitting[0].text("BodyPartExamined").strip().upper()
    regions = source.get("AnatomicRegionSequence") or ()
    if part or regions:
        named = {(str(r.get("CodeValue", "")), str(r.get("CodingSchemeDesignator", ""))) for r in regions}
        return part.startswith(BODY_PARTS) or bool(named & REGIONS)
    return (model.site.value, model.site.scheme) in REGIONS


def chest_content(told: Told, findings: Sequence[Marked]) -> list[Dataset]:
    """What stands below the root, after the language (TID 4100 rows 3 to 9).

    Of a stack the library lists the images with a finding alone; what was read is then named by its series.
    """
    context = told.context
    radiographs = [i for i in context.instances if i.header.text("Modality") in RADIOGRAPHS]
    whole = [Entry(instance.sop_class_uid, instance.sop_instance_uid) for instance in radiographs]
    library = Library(tuple(dict.fromkeys([*whole, *(marked.entry for marked in findings)])))
    return [
        *image_library(library, context, concepts.SIDES),
        _overall(told, findings, library),
        summary_of_detections(told, images_read(library.places()) if whole else series_read(context)),
        summary_of_analyses(),
    ]


def _overall(told: Told, findings: Sequence[Marked], library: Library) -> Dataset:
    """The summary with each finding below it (TID 4101)."""
    status = processing_summary(told, any(is_presented(marked) for marked in findings))
    below = [_single_image_finding(told, marked, library) for marked in findings]
    return code(CONTAINS, concepts.PROCESSING, status, below)


def _single_image_finding(told: Told, marked: Marked, library: Library) -> Dataset:
    """A finding on one image (TID 4104 rows 1, 2, 6, 8, 11, 12, 14 and 18)."""
    finding, modifier = chest_finding(marked.shown)
    below = [
        *([code(MODIFIER, concepts.FINDING_MODIFIER, modifier)] if modifier is not None else []),
        rendering_intent(marked),
        *tracking(marked),
        *algorithm_of(told.context, marked, OBSERVATION),
        *certainty(marked),
        *place(marked, library),
        *location(marked),
        *sizes(marked),
    ]
    return code(INFERRED, concepts.FINDING, finding, below)
