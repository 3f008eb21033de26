"""The CAD image library (TID 4020): every image that a CAD report refers to, with what the image says of itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicomnode.encode import source
from dicomnode.encode.cad import concepts
from dicomnode.encode.cad.items import (
    ACQUISITION,
    CONTAINS,
    MODIFIER,
    Identifier,
    code,
    container,
    date,
    image,
    number,
    text,
    time,
)
from dicomnode.encode.concepts import MILLIMETRE
from dicomnode.encode.context import Context
from dicomnode.values import Frame

PLACE = (1, 2)
"""The library is the second item below the root, after the language (TID 4000 and 4100 row 3)."""
DEGREE = CodedConcept("deg", "UCUM", "degree")
PIXELS = CodedConcept("{pixels}", "UCUM", "pixels")
COSINE = CodedConcept("{-1:1}", "UCUM", "{-1:1}")


def _dcm(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value=value, scheme_designator="DCM", meaning=meaning)


def _named(name: Code) -> CodedConcept:
    return CodedConcept(name.value, name.scheme_designator, name.meaning)


ORIENTATION = (_dcm("111044", "Patient Orientation Row"), _dcm("111043", "Patient Orientation Column"))
DATES = (
    (_dcm("111060", "Study Date"), "StudyDate"),
    (_dcm("111018", "Content Date"), "ContentDate"),
)
TIMES = (
    (_dcm("111061", "Study Time"), "StudyTime"),
    (_dcm("111019", "Content Time"), "ContentTime"),
)
NUMBERS = (
    (_dcm("111026", "Horizontal Pixel Spacing"), ("PixelSpacing", "ImagerPixelSpacing"), 1, MILLIMETRE),
    (_dcm("111066", "Vertical Pixel Spacing"), ("PixelSpacing", "ImagerPixelSpacing"), 0, MILLIMETRE),
    (_dcm("112011", "Positioner Primary Angle"), ("PositionerPrimaryAngle",), 0, DEGREE),
    (_dcm("112012", "Positioner Secondary Angle"), ("PositionerSecondaryAngle",), 0, DEGREE),
    (_dcm("112225", "Slice Thickness"), ("SliceThickness",), 0, MILLIMETRE),
    (_named(codes.DCM.ImagePositionPatientX), ("ImagePositionPatient",), 0, MILLIMETRE),
    (_named(codes.DCM.ImagePositionPatientY), ("ImagePositionPatient",), 1, MILLIMETRE),
    (_named(codes.DCM.ImagePositionPatientZ), ("ImagePositionPatient",), 2, MILLIMETRE),
    (_named(codes.DCM.ImageOrientationPatientRowX), ("ImageOrientationPatient",), 0, COSINE),
    (_named(codes.DCM.ImageOrientationPatientRowY), ("ImageOrientationPatient",), 1, COSINE),
    (_named(codes.DCM.ImageOrientationPatientRowZ), ("ImageOrientationPatient",), 2, COSINE),
    (_named(codes.DCM.ImageOrientationPatientColumnX), ("ImageOrientationPatient",), 3, COSINE),
    (_named(codes.DCM.ImageOrientationPatientColumnY), ("ImageOrientationPatient",), 4, COSINE),
    (_named(codes.DCM.ImageOrientationPatientColumnZ), ("ImageOrientationPatient",), 5, COSINE),
    (_dcm("110910", "Pixel Data Rows"), ("Rows",), 0, PIXELS),
    (_dcm("110911", "Pixel Data Columns"), ("Columns",), 0, PIXELS),
)
"""Rows 11 to 28: name, keywords of which the first present counts, which of its values, unit."""


@dataclass(frozen=True)
class Entry:
    """One image of the library, or one frame of it."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None
    """From 1; None for a whole instance."""

    @classmethod
    def of(cls, frame: Frame) -> "Entry":
        """The image that a slice came from."""
        return cls(frame.sop_class_uid, frame.sop_instance_uid, frame.frame_number)


@dataclass(frozen=True)
class Library:
    """The images of one report, in order."""

    entries: tuple[Entry, ...]

    def place_of(self, entry: Entry) -> Identifier:
        """Where an image stands in the report."""
        return (*PLACE, self.entries.index(entry) + 1)

    def places(self) -> list[Identifier]:
        """Where every whole instance stands."""
        return [self.place_of(entry) for entry in self.entries if entry.frame is None]


def image_library(library: Library, context: Context, sides: Mapping[str, CodedConcept]) -> Iterator[Dataset]:
    """The library as an item of the report; none where it is empty, which chest CAD allows.

    Args:
        library: what is listed.
        context: the images read; a header that nobody has looked at yet is read for what it says.
        sides: code of each Image Laterality, CID 6022 for a breast, CID 244 for a chest.
    """
    headers = _headers(library, context)
    listed = [
        image(one.sop_class_uid, one.sop_instance_uid, one.frame, _told(headers[one.sop_instance_uid], sides))
        for one in library.entries
    ]
    if listed:
        yield container(CONTAINS, concepts.LIBRARY, listed)


def _headers(library: Library, context: Context) -> dict[str, Dataset]:
    """The header of each image listed, by SOP Instance UID."""
    known = {str(one.SOPInstanceUID): one for one in context.sources.headers}
    listed = {entry.sop_instance_uid for entry in library.entries}
    others = [i for i in context.instances if i.sop_instance_uid in listed - known.keys()]
    return known | {instance.sop_instance_uid: source.header(instance.path) for instance in others}


def laterality_of(header: Dataset) -> str:
    """Image Laterality (0020,0062), or Frame Laterality (0020,9072) of an enhanced image; empty where unpaired."""
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    anatomy = (shared.get("FrameAnatomySequence") or [Dataset()])[0]
    side = str(header.get("ImageLaterality") or anatomy.get("FrameLaterality") or "").strip()
    return "" if side == "U" else side


def _told(header: Dataset, sides: Mapping[str, CodedConcept]) -> Iterator[Dataset]:
    """What an image says of itself, in the order of TID 4020; nothing is added to it."""
    if side := sides.get(laterality_of(header)):
        yield code(ACQUISITION, concepts.LATERALITY, side)
    yield from _view(header)
    directions = header.get("PatientOrientation") or ()
    is_whole = len(directions) == len(ORIENTATION) and not isinstance(directions, str)
    for name, letters in zip(ORIENTATION, directions, strict=True) if is_whole else ():
        yield text(ACQUISITION, name, str(letters))
    for (day_name, day), (clock_name, clock) in zip(DATES, TIMES, strict=True):
        if header.get(day):
            yield date(ACQUISITION, day_name, str(header[day].value))
        if header.get(clock):
            yield time(ACQUISITION, clock_name, str(header[clock].value))
    for name, keywords, which, unit in NUMBERS:
        values = _values(header, keywords)
        if which < len(values):
            yield number(ACQUISITION, name, values[which], unit)


def _view(header: Dataset) -> Iterator[Dataset]:
    """The coded view with its modifiers (rows 3 and 4), or the code of the view position."""
    views = [view for view in header.get("ViewCodeSequence") or () if _is_whole(view)]
    if views:
        modifiers = [one for one in views[0].get("ViewModifierCodeSequence") or () if _is_whole(one)]
        below = [code(MODIFIER, concepts.VIEW_MODIFIER, _copied(modifier)) for modifier in modifiers]
        yield code(ACQUISITION, concepts.VIEW, _copied(views[0]), below)
    elif position := concepts.VIEWS.get(str(header.get("ViewPosition") or "")):
        yield code(ACQUISITION, concepts.VIEW, position)


def _is_whole(item: Dataset) -> bool:
    """Whether a code of the image's has all that a code needs, within the lengths of PS3.5 6.2."""
    lengths = {"CodeValue": 16, "CodingSchemeDesignator": 16, "CodeMeaning": 64}
    return all(1 <= len(str(item.get(keyword) or "")) <= longest for keyword, longest in lengths.items())


def _copied(item: Dataset) -> CodedConcept:
    return CodedConcept(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))


def _values(header: Dataset, keywords: Sequence[str]) -> list[float]:
    """The values of the first attribute that is present."""
    value = next((header[keyword].value for keyword in keywords if header.get(keyword) not in (None, "")), ())
    return [float(value)] if isinstance(value, int | float | str) else [float(one) for one in value]
