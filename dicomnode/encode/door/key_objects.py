"""What a Key Object Selection must say (PS3.3 A.35.4, PS3.16 TID 2010)."""

from collections.abc import Iterator

from pydicom import Dataset

from dicomnode.encode.door.expected import Expected
from dicomnode.encode.door.items import children, code_text, part, references
from dicomnode.encode.door.references import listed
from dicomnode.values import Role

OF_INTEREST = "113000/DCM"
"""The only title of ours: others reject images or claim a purpose (CID 7010)."""
ALLOWED = {
    ("CONTAINS", "TEXT"),
    ("CONTAINS", "IMAGE"),
    ("HAS OBS CONTEXT", "CODE"),
    ("HAS OBS CONTEXT", "TEXT"),
    ("HAS OBS CONTEXT", "UIDREF"),
    ("HAS CONCEPT MOD", "CODE"),
}
"""Relationships that ours uses, all allowed by PS3.3 Table A.35.4-2."""


def key_object_faults(expected: Expected) -> Iterator[str]:
    """A title, an observer, words and images, each of the images, and they alone, listed as evidence."""
    document = expected.of(Role.KOS)
    if document is None:
        return
    if code_text(document, "ConceptNameCodeSequence") != OF_INTEREST:
        yield "KOS: its title is not Of Interest (113000, DCM)"
    if (document.get("ContentTemplateSequence") or [Dataset()])[0].get("TemplateIdentifier") != "2010":
        yield "KOS: the root is not TID 2010"
    if not children(document, "121012/DCM"):
        yield "KOS: Device Observer UID (121012, DCM) is missing"
    if not [item.get("TextValue") for item in children(document, "113012/DCM") if item.get("TextValue")]:
        yield "KOS: the Key Object Description (113012, DCM) is missing"
    for item in document.get("ContentSequence") or ():
        yield from _item_faults(item)
    yield from _evidence_faults(document)


def _item_faults(item: Dataset) -> Iterator[str]:
    kind, relationship = str(item.get("ValueType", "")), str(item.get("RelationshipType", ""))
    if (relationship, kind) not in ALLOWED:
        yield f"KOS: {relationship} {kind} is not a relationship of ours"
    if kind == "IMAGE" and "ConceptNameCodeSequence" in item:
        yield "KOS: a key image has a name, and TID 2010 gives it none"
    if kind == "IMAGE" and len(item.get("ReferencedSOPSequence") or ()) != 1:
        yield "KOS: a key image item names no image"


def _evidence_faults(document: Dataset) -> Iterator[str]:
    shown = [uid for _, uid in references(part(document, "ContentSequence"))]
    evidence = [uid for _, uid in listed(document)]
    if not shown:
        yield "KOS: there is no key image"
    yield from (f"KOS: {uid} is a key image and not listed as evidence" for uid in sorted({*shown} - {*evidence}))
    yield from (f"KOS: {uid} is listed as evidence and is no key image" for uid in sorted({*evidence} - {*shown}))
    yield from (f"KOS: {uid} is named twice" for uid in sorted({uid for uid in shown if shown.count(uid) > 1}))
