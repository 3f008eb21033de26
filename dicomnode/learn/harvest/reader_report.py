"""A report as a reader saved it: its measurement groups, and which of our findings each of them corrects.

A group is matched by its tracking UID; a viewer that gives a new one is understood by image, finding code and
predecessor together. What more than one of our findings could be is left unlinked, for a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom import Dataset

from dicomnode.encode.door.items import children, code_text, groups, tracking_of, tree

OBSERVER_TYPE, PERSON, PERSON_NAME = "121005/DCM", "121006/DCM", "121008/DCM"
FINDING = ("121071/DCM", "121059/DCM")
"""Finding; Presence of finding (older viewers)."""
REPORTS = (
    "1.2.840.10008.5.1.4.1.1.88.22",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.34",
)
"""Enhanced, Comprehensive and Comprehensive 3D SR: those that can hold measurement groups."""


class How(StrEnum):
    """By what a reader's group was recognised."""

    TRACKING = "tracking"
    IMAGE_CODE_PREDECESSOR = "image, code and predecessor"
    PERSON = "person"
    """Somebody linked it."""


SAME_OUTLINE_PX = 0.05
"""Points of an outline that a viewer only passed on differ by less."""


@dataclass(frozen=True)
class Group:
    """One measurement group of a report, ours or a reader's."""

    tracking_uid: str
    tracking_id: str
    code: str
    """Finding as "value/scheme"; empty where it has none."""
    images: frozenset[tuple[str, int]]
    """SOP Instance UID and frame (1 for a single-frame image) that it was drawn on."""
    outline: tuple[float, ...] = ()
    """(column, row) pairs of its first SCOORD."""


@dataclass(frozen=True)
class Report:
    """What matters of a report."""

    sop_instance_uid: str
    observer: str
    """Name of the person observer; empty for a device."""
    is_by_person: bool
    predecessors: tuple[str, ...]
    """SOP Instance UIDs of the documents that it replaces."""
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Match:
    """Which of our findings a reader's group is about."""

    ours: Group | None
    """None: unlinked."""
    report_uid: str
    """Our report that it stands in; empty where unlinked."""
    how: How | None
    reason: str
    """Why it is unlinked, in words."""


def read_report(document: Dataset) -> Report:
    """What matters of an SR after TID 1500; a document of another kind has no groups.

    Source: PS3.16 TID 1500, 1501, 1410, 1411, 1002, 1003; PS3.3 C.17.2, C.18.6.
    """
    items = [item for _, item in tree(document)]
    kinds = [code_text(item, "ConceptCodeSequence") for item in items if _named(item) == OBSERVER_TYPE]
    names = [str(item.get("PersonName", "")) for item in items if _named(item) == PERSON_NAME]
    return Report(
        str(document.get("SOPInstanceUID", "")),
        observer=(names or [""])[0],
        is_by_person=PERSON in kinds or (not kinds and bool(names)),
        predecessors=tuple(_predecessors(document)),
        groups=tuple(_group(group) for group in groups(document)),
    )


def matched(group: Group, reader: Report, ours: Sequence[Report]) -> Match:
    """Which of our findings in one study a reader's group is about.

    Args:
        group: of the reader's report.
        reader: the report.
        ours: our reports of the study that a reader may have seen, the newest first.
    """
    for report in ours:
        tracked = [one for one in report.groups if one.tracking_uid and one.tracking_uid == group.tracking_uid]
        if tracked:
            return Match(_with_place(tracked), report.sop_instance_uid, How.TRACKING, "")
    seen = [report for report in ours if report.sop_instance_uid in reader.predecessors]
    if not seen:
        return _unlinked("a new tracking UID, and no report of ours is named as its predecessor")
    report = seen[0]
    alike = [one for one in report.groups if one.code and one.code == group.code and one.images & group.images]
    if not alike:
        return _unlinked("no finding of ours has its code on its image")
    if len({one.tracking_uid for one in alike}) > 1:
        return _unlinked(f"{len({one.tracking_uid for one in alike})} findings of ours have its code on its image")
    return Match(_with_place(alike), report.sop_instance_uid, How.IMAGE_CODE_PREDECESSOR, "")


def outline_differs(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether an outline is another one, not the same passed on by a viewer; (column, row) pairs."""
    return len(one) != len(other) or any(abs(a - b) > SAME_OUTLINE_PX for a, b in zip(one, other, strict=True))


def _unlinked(reason: str) -> Match:
    return Match(None, "", None, reason)


def _with_place(alike: Sequence[Group]) -> Group:
    """Of groups about one finding, the one that is drawn."""
    return next((one for one in alike if one.outline), alike[0])


def _named(item: Dataset) -> str:
    return code_text(item, "ConceptNameCodeSequence")


def _predecessors(document: Dataset) -> Iterator[str]:
    for study in document.get("PredecessorDocumentsSequence") or ():
        for series in study.get("ReferencedSeriesSequence") or ():
            for item in series.get("ReferencedSOPSequence") or ():
                yield str(item.get("ReferencedSOPInstanceUID", ""))


def _group(group: Dataset) -> Group:
    identifier, uid = tracking_of(group)
    findings = [code_text(item, "ConceptCodeSequence") for name in FINDING for item in children(group, name)]
    items = [item for _, item in tree(group)]
    outlines = [tuple(map(float, item.get("GraphicData") or ())) for item in items if item.get("ValueType") == "SCOORD"]
    return Group(uid, identifier, (findings or [""])[0], frozenset(_images(items)), (outlines or [()])[0])


def _images(items: Sequence[Dataset]) -> Iterator[tuple[str, int]]:
    """Images that the group's coordinates were drawn on; a segment is not one."""
    for item in items:
        if item.get("ValueType") != "IMAGE":
            continue
        for reference in item.get("ReferencedSOPSequence") or ():
            if "ReferencedSegmentNumber" in reference:
                continue
            numbers = reference.get("ReferencedFrameNumber") or 1
            first = numbers if isinstance(numbers, int | str) else numbers[0]
            yield str(reference.get("ReferencedSOPInstanceUID", "")), int(first)
