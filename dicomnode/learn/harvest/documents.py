"""Labels from documents without pixels: readers' structured reports, and Key Objects that flag a study."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset
from sqlalchemy.orm import Session

from dicomnode.complete.rejections import KEY_OBJECTS, rejection_of
from dicomnode.encode.door.items import children, code_text
from dicomnode.learn.harvest.corrections import our_documents
from dicomnode.learn.harvest.evaluations import compare, statements
from dicomnode.learn.harvest.labels import NewLabel
from dicomnode.learn.harvest.meanings import Meanings, Meant
from dicomnode.learn.harvest.objects import (
    Taken,
    Waiting,
    made_s,
    of_object,
    predecessors,
    referenced_elsewhere,
    referenced_uids,
)
from dicomnode.learn.harvest.reader_report import REPORTS, How, Report, matched, read_report
from dicomnode.learn.harvest.seen import names_ours
from dicomnode.learn.harvest.this_study import uids_elsewhere
from dicomnode.learn.values import Source

DOCUMENTS = (*REPORTS, KEY_OBJECTS)
"""SOP classes read here."""
NO_PERSON = "its observer is no person"
ELSEWHERE = "it speaks of images of another study"
DESCRIPTION = "113012/DCM"
"""Key Object Description."""


@dataclass(frozen=True)
class Site:
    """What a document is read against."""

    session: Session
    state: Path
    meanings: Meanings


def labels_of(site: Site, waiting: Waiting, document: Dataset) -> Taken:
    """What a document says of the outputs of our models."""
    report = read_report(document)
    if not report.is_by_person:
        return Taken(reason=NO_PERSON)
    if referenced_elsewhere(document, waiting.study_uid):
        return Taken(reason=ELSEWHERE)
    read: Callable[..., Taken] = _key_object if str(document.get("SOPClassUID", "")) == KEY_OBJECTS else _report
    return read(site, waiting, document, report)


def _report(site: Site, waiting: Waiting, document: Dataset, report: Report) -> Taken:
    ours = our_documents(site.session, site.state, waiting.study_uid)
    known = [read_report(one) for one in ours]
    matches = [matched(group, report, known) for group in report.groups]
    compared = compare(document, report, matches, ours)
    replaced = predecessors(document)
    aided = any(match.how is How.TRACKING for match in matches) or _refers_to_ours(site, document)
    labels = [
        of_object(
            NewLabel(
                model=one.model,
                output=one.output,
                value=one.value,
                source=Source.SR,
                who=report.observer,
                made_s=made_s(document, waiting.received_s),
                tracking_uid=one.tracking_uid[:64],
                rule=one.rule,
                assisted=aided or None,
            ),
            waiting,
        )
        for one in statements(document, compared, site.meanings, uids_elsewhere(document, waiting.study_uid))
    ]
    reason = "" if labels else "nothing in it means an output of a model"
    return Taken(tuple(labels), reason, replaces=replaced)


def _key_object(site: Site, waiting: Waiting, document: Dataset, report: Report) -> Taken:
    """A flag on a study: its title, and its description in words."""
    if rejection_of(document) is not None:
        return Taken(reason="it rejects objects, and flags no study")
    meant = list(dict.fromkeys(_flags(site.meanings, document)))
    labels = [
        of_object(
            NewLabel(
                model=one.model,
                output=one.output,
                value=1.0 if one.present else 0.0,
                source=Source.KEY_OBJECT,
                who=report.observer,
                made_s=made_s(document, waiting.received_s),
                rule=f"title or description; {one.rule}",
                assisted=_refers_to_ours(site, document) or None,
            ),
            waiting,
        )
        for one in meant
    ]
    return Taken(tuple(labels), "its title and description mean no output of a model", replaces=predecessors(document))


def _flags(meanings: Meanings, document: Dataset) -> list[Meant]:
    title = document.get("ConceptNameCodeSequence") or [Dataset()]
    found = meanings.of_code(code_text(document, "ConceptNameCodeSequence"))
    found += meanings.of_words(str(title[0].get("CodeMeaning", "")))
    for item in children(document, DESCRIPTION):
        found += meanings.of_words(str(item.get("TextValue", "")))
    return found


def _refers_to_ours(site: Site, document: Dataset) -> bool:
    return names_ours(site.session, referenced_uids(document))
