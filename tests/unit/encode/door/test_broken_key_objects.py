"""Each thing that can be wrong with a Key Object Selection is caught."""

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as Items

from dicomnode.encode.door.items import children
from dicomnode.values import Role
from tests.phantom import uid
from tests.unit.encode.door.changes import Change, faults
from tests.unit.encode.examples import Example
from tests.unit.encode.placed import door_says, placed


@pytest.fixture(scope="module")
def selected(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return placed("axial CT", tmp_path_factory.mktemp("kos"), (Role.SR, Role.KOS))


def image(document: Dataset) -> Dataset:
    return next(item for item in document.ContentSequence if item.ValueType == "IMAGE")


def evidence(document: Dataset) -> Items:
    return document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence


def name_image(document: Dataset) -> None:
    image(document).ConceptNameCodeSequence = document.ConceptNameCodeSequence


def drop(document: Dataset, name: str) -> None:
    for child in children(document, name):
        document.ContentSequence.remove(child)


KOS_FAULTS: dict[str, Change] = {
    "a title that rejects": (
        lambda d: setattr(d.ConceptNameCodeSequence[0], "CodeValue", "113001"),
        "not Of Interest",
    ),
    "no template": (lambda d: delattr(d, "ContentTemplateSequence"), "not TID 2010"),
    "no observer": (lambda d: drop(d, "121012/DCM"), "Device Observer UID"),
    "no words": (lambda d: drop(d, "113012/DCM"), "Key Object Description"),
    "a named image": (name_image, "TID 2010 gives it none"),
    "an image item without an image": (lambda d: delattr(image(d), "ReferencedSOPSequence"), "names no image"),
    "no image": (
        lambda d: setattr(d, "ContentSequence", [i for i in d.ContentSequence if i.ValueType != "IMAGE"]),
        "no key image",
    ),
    "an image twice": (lambda d: d.ContentSequence.append(image(d)), "named twice"),
    "an image of another study": (
        lambda d: setattr(image(d).ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", uid("elsewhere")),
        "not in the study",
    ),
    "evidence left out": (lambda d: evidence(d).pop(), "not listed as evidence"),
    "other evidence": (
        lambda d: d.ContentSequence.remove(image(d)),
        "listed as evidence and is no key image",
    ),
    "no evidence": (
        lambda d: delattr(d, "CurrentRequestedProcedureEvidenceSequence"),
        "CurrentRequestedProcedureEvidenceSequence is missing",
    ),
    "another relationship": (lambda d: setattr(image(d), "RelationshipType", "HAS PROPERTIES"), "not a relationship"),
    "another patient": (lambda d: setattr(d, "PatientID", "X"), "PatientID is not the source's"),
}


@pytest.mark.parametrize("fault", KOS_FAULTS)
def test_a_broken_key_object_selection_does_not_pass(fault: str, selected: Example) -> None:
    change, said = KOS_FAULTS[fault]

    assert said in faults(selected, Role.KOS, change)


def test_a_whole_key_object_selection_passes(selected: Example) -> None:
    assert door_says(selected) == []
