"""Content items of a CAD report, built of plain data sets: highdicom knows no relationships by reference.

Source: PS3.3 C.17.3 (relationships), C.18 (value types).
"""

from collections.abc import Iterable, Sequence

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.valuerep import DS

from dicomnode.encode.concepts import MILLIMETRE

CONTAINS = "CONTAINS"
PROPERTY = "HAS PROPERTIES"
MODIFIER = "HAS CONCEPT MOD"
OBSERVATION = "HAS OBS CONTEXT"
ACQUISITION = "HAS ACQ CONTEXT"
INFERRED = "INFERRED FROM"
SELECTED = "SELECTED FROM"

Identifier = tuple[int, ...]
"""Where an item stands: 1 for the root, then the number of each child from 1 (PS3.3 C.17.3.2.5)."""


def container(relationship: str, name: CodedConcept, children: Iterable[Dataset]) -> Dataset:
    """A heading with what stands under it."""
    made = _item(relationship, "CONTAINER", name)
    made.ContinuityOfContent = "SEPARATE"
    return with_children(made, children)


def code(relationship: str, name: CodedConcept, value: CodedConcept, children: Iterable[Dataset] = ()) -> Dataset:
    """A coded answer."""
    made = _item(relationship, "CODE", name)
    made.ConceptCodeSequence = [value]
    return with_children(made, children)


def text(relationship: str, name: CodedConcept, words: str) -> Dataset:
    """An answer in words."""
    made = _item(relationship, "TEXT", name)
    made.TextValue = words
    return made


def uid_reference(relationship: str, name: CodedConcept, uid: str) -> Dataset:
    """A UID."""
    made = _item(relationship, "UIDREF", name)
    made.UID = uid
    return made


def date(relationship: str, name: CodedConcept, value: str) -> Dataset:
    """A date, in DICOM's own notation."""
    made = _item(relationship, "DATE", name)
    made.Date = value
    return made


def time(relationship: str, name: CodedConcept, value: str) -> Dataset:
    """A time, in DICOM's own notation."""
    made = _item(relationship, "TIME", name)
    made.Time = value
    return made


def number(
    relationship: str,
    name: CodedConcept,
    value: float,
    unit: CodedConcept = MILLIMETRE,
    children: Iterable[Dataset] = (),
) -> Dataset:
    """A number with its unit."""
    made, measured = _item(relationship, "NUM", name), Dataset()
    measured.NumericValue = f"{value:.0f}" if float(value).is_integer() else DS(float(value), auto_format=True)
    measured.MeasurementUnitsCodeSequence = [unit]
    made.MeasuredValueSequence = [measured]
    return with_children(made, children)


def coordinates(name: CodedConcept, graphic: str, points: Sequence[float], image: Identifier) -> Dataset:
    """A place (column, row) on an image of the library, as a property of what stands above it (PS3.3 C.18.6)."""
    made = _item(PROPERTY, "SCOORD", name)
    made.GraphicType, made.GraphicData = graphic, [float(value) for value in points]
    return with_children(made, [by_reference(SELECTED, image)])


def by_reference(relationship: str, target: Identifier) -> Dataset:
    """A relationship to an item that stands elsewhere in the tree."""
    made = Dataset()
    made.RelationshipType, made.ReferencedContentItemIdentifier = relationship, list(target)
    return made


def image(sop_class_uid: str, sop_instance_uid: str, frame: int | None, children: Iterable[Dataset]) -> Dataset:
    """An image, or one frame (from 1) of it, without a name, as the CAD image library lists it."""
    made, reference = _item(CONTAINS, "IMAGE"), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    made.ReferencedSOPSequence = [reference]
    return with_children(made, children)


def with_children(item: Dataset, children: Iterable[Dataset]) -> Dataset:
    """The item with others below it; without a Content Sequence where there are none."""
    below = list(children)
    if below:
        item.ContentSequence = below
    return item


def _item(relationship: str, kind: str, name: CodedConcept | None = None) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relationship, kind
    if name is not None:
        made.ConceptNameCodeSequence = [name]
    return made
