"""What is kept of a report: labels, with where in its text they stood and the text's digest. The text itself is not.

A message is known by its sender, control id and content: the same once more changes nothing. A report is known by its
sender, patient and study: a newer version replaces the older one's labels, and one that is taken back withdraws them.
The patient counts too, since two issuers may give one accession number.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn
from dicomnode.index.learning import HarvestedRow, LabelRow
from dicomnode.index.schema import StudyRow
from dicomnode.learn.harvest.attaching import OTHER_PATIENT
from dicomnode.learn.harvest.labels import NewLabel, add_labels, replace_objects, withdraw
from dicomnode.learn.harvest.named import Whose
from dicomnode.learn.reports.hl7.identifiers import as_in_images
from dicomnode.learn.reports.hl7.message import LONGEST_TEXT, Head, Message, NotUnderstood, TextReport, seconds
from dicomnode.learn.reports.labels import Report, report_labels
from dicomnode.learn.values import LabelState

log = structlog.get_logger()

KNOWN = "known already"
TAKEN_BACK = "its report was taken back by the sender"
NO_STUDY = "it names no study: neither an accession number (OBR-18, OBR-3, ORC-3) nor a Study Instance UID"
NO_PATIENT = "it names no patient (PID-3), and an accession number alone is not sure: it may be another patient's too"
NOTHING_MAPPED = "none of what it says is mapped to an output of a model ([[learn.map]])"


@dataclass(frozen=True)
class Kept:
    """What became of a message."""

    words: str
    """For its sender."""
    known: bool = False
    """It had been kept before."""
    labels: int = 0


@dataclass(frozen=True)
class Keeping:
    """What a message is kept with, in one transaction."""

    session: Session
    learn: Learn
    state: Path
    head: Head

    @property
    def sender(self) -> str:
        """Sending application and facility."""
        return f"{self.head.application}\0{self.head.facility}"


def keep(keeping: Keeping, message: Message, raw: bytes) -> Kept:
    """Keep the labels of a message's reports; they are durable when the transaction has ended.

    Raises:
        NotUnderstood: a report names no study or no patient, or is too long.
        ConfigFault: `learn.labelers` names one that does not exist.
        SplitKeyLost: the split key is gone, without which no patient can be compared.
    """
    if looked_at(keeping, raw):
        return Kept(KNOWN, known=True)
    reasons, labels = [], 0
    for report in _by_study(message.reports):
        made, reason = _keep_report(keeping, report)
        labels += made
        reasons += [reason] if reason else []
    said = "; ".join(dict.fromkeys(reasons))
    key = note(keeping, raw, labels=labels, reason=said)
    log.info("hl7.kept", message=key, reports=len(message.reports), labels=labels, reason=said)
    return Kept(said or f"{labels} label(s)", labels=labels)


def looked_at(keeping: Keeping, raw: bytes) -> bool:
    """Whether this very message came before."""
    return keeping.session.get(HarvestedRow, _message_key(keeping, raw)) is not None


def note(keeping: Keeping, raw: bytes, *, labels: int = 0, reason: str = "") -> str:
    """Note that a message was looked at; what stands for it in the index."""
    key = _message_key(keeping, raw)
    keeping.session.add(HarvestedRow(object_uid=key, at_s=time.time(), labels=labels, reason=reason))
    return key


def _message_key(keeping: Keeping, raw: bytes) -> str:
    return _name(keeping.sender, keeping.head.control_id, hashlib.sha256(raw).hexdigest())


def _by_study(reports: Iterable[TextReport]) -> list[TextReport]:
    """Several OBR of one patient's study in one message are one report."""
    found: dict[object, TextReport] = {}
    for one in reports:
        key = (one.study_uid, one.accession_numbers, one.of)
        other = found.get(key)
        found[key] = one if other is None else _joined(other, one)
    return list(found.values())


def _joined(one: TextReport, other: TextReport) -> TextReport:
    text = "\n\n".join(part for part in (one.text, other.text) if part)
    return replace(other, text=text, gone=one.gone and other.gone, odd=(*one.odd, *other.odd))


def _keep_report(keeping: Keeping, report: TextReport) -> tuple[int, str]:
    """How many labels it gave, and why none, or none that can be used."""
    _require_whose(report)
    session, whose = keeping.session, Whose(keeping.session, keeping.state)
    report = replace(report, of=tuple(as_in_images(one, keeping.learn.hl7.issuers) for one in report.of))
    names = _names(keeping.sender, report, whose)
    at_s = seconds(report.at) or time.time()
    newest = [row.at_s for name in names if (row := session.get(HarvestedRow, name)) is not None]
    if newest and at_s < max(newest):
        return 0, "a newer version of the report is here already"
    session.merge(HarvestedRow(object_uid=names[0], at_s=at_s, labels=0, reason="newest version of a report"))
    if report.gone:
        return 0, _take_back(session, names)
    if not report.text:
        return 0, f"no text in it (value types: {', '.join(sorted(set(report.odd))) or 'none'})"
    labels = _labels(keeping, whose, report, names[0], at_s)
    replace_objects(session, names)
    added = add_labels(session, labels, keeping.state)
    if added.other_patient:
        return len(added.keys), f"{added.other_patient} label(s) are refused: {OTHER_PATIENT}"
    return len(added.keys), "" if labels else NOTHING_MAPPED


def _require_whose(report: TextReport) -> None:
    if not (report.study_uid or report.accession_numbers):
        raise NotUnderstood(NO_STUDY)
    if not (report.study_uid or report.of):
        raise NotUnderstood(NO_PATIENT)
    if len(report.text) > LONGEST_TEXT:
        raise NotUnderstood(f"its text is longer than {LONGEST_TEXT} characters")


def _names(sender: str, report: TextReport, whose: Whose) -> list[str]:
    """What a report is known by: the first by its own ID of the patient, others by those that were merged with it."""
    about = (sender, report.study_uid, *report.accession_numbers)
    patient = () if report.study_uid else whose.known_as(report.of)
    return [_name(*about, key) for key in patient] or [_name(*about)]


def _labels(keeping: Keeping, whose: Whose, report: TextReport, object_uid: str, at_s: float) -> Sequence[NewLabel]:
    version = f"{keeping.head.control_id}\0{report.text}"
    read = Report(
        text=report.text,
        object_uid=object_uid,
        object_digest=hashlib.sha256(version.encode()).hexdigest(),
        made_s=at_s,
        study_uid=report.study_uid,
        accession_number="" if report.study_uid else _number(keeping.session, whose, report),
    )
    return [replace(one, of=report.of) for one in report_labels(keeping.session, read, keeping.learn)]


def _number(session: Session, whose: Whose, report: TextReport) -> str:
    """The first accession number that a study of the patient has; else the first, to wait under or to be refused."""
    named = whose.kept(report.of)
    for number in report.accession_numbers:
        here = select(StudyRow).where(StudyRow.state != "held", StudyRow.accession_number == number)
        if any(whose.may_be(named, study) for study in session.scalars(here)):
            return number
    return report.accession_numbers[0]


def _take_back(session: Session, names: Sequence[str]) -> str:
    standing = (LabelState.WAITING, LabelState.ATTACHED, LabelState.REFUSED)
    keys = session.scalars(
        select(LabelRow.label_key).where(LabelRow.object_uid.in_(names), LabelRow.state.in_(standing))
    ).all()
    for key in keys:
        withdraw(session, key, TAKEN_BACK)
    return f"the report is taken back: {len(keys)} label(s) withdrawn"


def _name(*parts: str) -> str:
    """What stands for a message or a report in the index; nobody can be read from it."""
    return f"hl7:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:40]}"
