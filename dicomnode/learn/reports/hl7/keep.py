"""What is kept of a report: labels, with where in its text they stood and the text's digest. The text itself is not.

A message is known by its sender, control id and content: the same once more changes nothing. A report is known by its
sender and study: a newer version replaces the older one's labels, and one that is taken back withdraws them.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn
from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import StudyRow
from dicomnode.learn.harvest.labels import NewLabel, add_labels, replace_objects, withdraw
from dicomnode.learn.reports.hl7.message import LONGEST_TEXT, Message, NotUnderstood, TextReport, seconds
from dicomnode.learn.reports.labels import Report, report_labels
from dicomnode.learn.values import LabelState

log = structlog.get_logger()

TAKEN_BACK = "its report was taken back by the sender"
OTHER_PATIENT = "the report names another patient than the study does"
NO_STUDY = "it names no study: neither an accession number (OBR-18, OBR-3, ORC-3) nor a Study Instance UID"
NOTHING_MAPPED = "none of what it says is mapped to an output of a model ([[learn.map]])"


@dataclass(frozen=True)
class Kept:
    """What became of a message."""

    words: str
    """For its sender."""
    known: bool = False
    """It had been kept before."""
    labels: int = 0


def keep(session: Session, message: Message, raw: bytes, learn: Learn) -> Kept:
    """Keep the labels of a message's reports; they are durable when the transaction has ended.

    Raises:
        NotUnderstood: a report names no study, or is too long.
        ConfigFault: `learn.labelers` names one that does not exist.
    """
    sender = f"{message.head.application}\0{message.head.facility}"
    key = _name(sender, message.head.control_id, hashlib.sha256(raw).hexdigest())
    if session.get(HarvestedRow, key) is not None:
        return Kept("known already", known=True)
    reasons, labels = [], 0
    for report in _by_study(message.reports):
        made, reason = _keep_report(session, report, sender, message.head.control_id, learn)
        labels += made
        reasons += [reason] if reason else []
    said = "; ".join(dict.fromkeys(reasons))
    session.add(HarvestedRow(object_uid=key, at_s=time.time(), labels=labels, reason=said))
    log.info("hl7.kept", message=key, reports=len(message.reports), labels=labels, reason=said)
    return Kept(said or f"{labels} label(s)", labels=labels)


def _by_study(reports: Iterable[TextReport]) -> list[TextReport]:
    """Several OBR of one study in one message are one report."""
    found: dict[tuple[str, tuple[str, ...]], TextReport] = {}
    for one in reports:
        key = (one.study_uid, one.accession_numbers)
        other = found.get(key)
        found[key] = one if other is None else _joined(other, one)
    return list(found.values())


def _joined(one: TextReport, other: TextReport) -> TextReport:
    text = "\n\n".join(part for part in (one.text, other.text) if part)
    return replace(other, text=text, gone=one.gone and other.gone, odd=(*one.odd, *other.odd))


def _keep_report(session: Session, report: TextReport, sender: str, control_id: str, learn: Learn) -> tuple[int, str]:
    """How many labels it gave, and why none."""
    if not (report.study_uid or report.accession_numbers):
        raise NotUnderstood(NO_STUDY)
    if len(report.text) > LONGEST_TEXT:
        raise NotUnderstood(f"its text is longer than {LONGEST_TEXT} characters")
    object_uid = _name(sender, report.study_uid, *report.accession_numbers)
    at_s = seconds(report.at) or time.time()
    newest = session.get(HarvestedRow, object_uid)
    if newest is not None and at_s < newest.at_s:
        return 0, "a newer version of the report is here already"
    session.merge(HarvestedRow(object_uid=object_uid, at_s=at_s, labels=0, reason="newest version of a report"))
    if report.gone:
        return 0, _take_back(session, object_uid)
    if not report.text:
        return 0, f"no text in it (value types: {', '.join(sorted(set(report.odd))) or 'none'})"
    labels = _labels(session, report, object_uid, hashlib.sha256(f"{control_id}\0{report.text}".encode()), learn, at_s)
    replace_objects(session, [object_uid])
    added = add_labels(session, labels)
    return len(added.keys), "" if labels else NOTHING_MAPPED


def _labels(
    session: Session, report: TextReport, object_uid: str, digest: "hashlib._Hash", learn: Learn, at_s: float
) -> Sequence[NewLabel]:
    study, number = _study(session, report)
    read = Report(
        text=report.text,
        object_uid=object_uid,
        object_digest=digest.hexdigest(),
        made_s=at_s,
        study_uid=study.study_uid if study is not None else report.study_uid,
        accession_number="" if study is not None or report.study_uid else number,
    )
    labels = report_labels(session, read, learn)
    stranger = study is not None and study.patient_id and report.patient_ids
    if stranger and study is not None and study.patient_id not in report.patient_ids:
        return [replace(one, refused=OTHER_PATIENT) for one in labels]
    return labels


def _study(session: Session, report: TextReport) -> tuple[StudyRow | None, str]:
    """The study, where one alone fits, and the accession number to wait under."""
    here = select(StudyRow).where(StudyRow.state != "held")
    if report.study_uid:
        return session.scalars(here.where(StudyRow.study_uid == report.study_uid)).first(), ""
    for number in report.accession_numbers:
        found = session.scalars(here.where(StudyRow.accession_number == number)).all()
        if found:
            return (found[0] if len(found) == 1 else None), number
    return None, report.accession_numbers[0]


def _take_back(session: Session, object_uid: str) -> str:
    standing = (LabelState.WAITING, LabelState.ATTACHED, LabelState.REFUSED)
    keys = session.scalars(
        select(LabelRow.label_key).where(LabelRow.object_uid == object_uid, LabelRow.state.in_(standing))
    ).all()
    for key in keys:
        withdraw(session, key, TAKEN_BACK)
    return f"the report is taken back: {len(keys)} label(s) withdrawn"


def _name(*parts: str) -> str:
    """What stands for a message or a report in the index; nobody can be read from it."""
    return f"hl7:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:40]}"
