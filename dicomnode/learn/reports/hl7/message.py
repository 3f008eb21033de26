"""An ORU^R01 message: its reports, each with its patient, its study, its status and its text.

Only the fields that are needed are split, so that a hostile message costs no more than its own length.

Source: HL7 v2.5.1 chapter 7 (ORU^R01, OBR, OBX) and chapter 2 (MSH); IHE RAD TF (ZDS-1).
"""

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from dicomnode.learn.harvest.named import Named
from dicomnode.learn.reports.hl7.identifiers import patient_ids
from dicomnode.learn.reports.hl7.text import BadCharacters, codec, decoded, unescaped

GONE = frozenset("DWX")
"""Of OBX-11 and OBR-25: deleted, wrong, cancelled."""
NOT_YET = frozenset("NIOS")
"""Not asked, in work, ordered, scheduled: no result is in it."""
TEXTS = ("TX", "FT", "ST", "CF")
STUDY_CODES = ("113014", "110180", "STUDY INSTANCE UID", "STUDYINSTANCEUID")
UID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})?(\d{2})?(\d{2})?(?:\.\d+)?([+-]\d{4})?")
LONGEST_TEXT = 200_000
"""Characters; no report is so long."""


class NotUnderstood(ValueError):
    """A message of another kind than is taken here, or a broken one."""


@dataclass(frozen=True)
class Head:
    """Of MSH, as it came: what an answer must repeat."""

    application: str = ""
    facility: str = ""
    control_id: str = ""
    kind: str = ""
    version: str = "2.5"
    sent: str = ""
    separators: str = "|^~\\&"


@dataclass(frozen=True)
class TextReport:
    """One report of a message (an OBR and what belongs to it)."""

    accession_numbers: tuple[str, ...] = ()
    """OBR-18, OBR-3, ORC-3 in this order, those that are there, each once."""
    study_uid: str = ""
    of: tuple[Named, ...] = ()
    """The patient, under every ID of PID-3."""
    status: str = ""
    """OBR-25: P, F, C, ..."""
    gone: bool = False
    """Taken back."""
    at: str = ""
    """OBR-22, or when the message was sent."""
    text: str = ""
    odd: tuple[str, ...] = ()
    """Value types of OBX that hold no text here."""


@dataclass(frozen=True)
class Message:
    """One ORU^R01."""

    head: Head
    reports: tuple[TextReport, ...]


@dataclass
class _Open:
    """A report while its segments are read."""

    patient: str
    """PID."""
    order: list[str]
    request: list[str]
    texts: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    study_uid: str = ""


def head_of(raw: bytes) -> Head:
    """What can be told of MSH, even of a broken or cut message; never raises."""
    line = re.split(rb"[\r\n]", raw.lstrip(b"\r\n \t"), maxsplit=1)[0]
    if not line.startswith(b"MSH") or len(line) < 8:
        return Head()
    text = line.decode("latin-1")
    parts = text.split(text[3], 20)
    if len(parts[1]) < 3:
        return Head()
    said = [parts[place][:199] if place < len(parts) else "" for place in range(13)]
    kind = said[8].replace(parts[1][0], "^")
    return Head(said[2], said[3], said[9], kind, said[11] or "2.5", said[6], (text[3] + parts[1])[:5])


def read_message(raw: bytes, otherwise: str) -> Message:
    """An ORU^R01 with its reports.

    Args:
        raw: the message without its frame.
        otherwise: codec of messages whose MSH-18 is empty.

    Raises:
        NotUnderstood: it is no ORU^R01, or has no OBR.
        BadCharacters: its characters cannot be told.
    """
    head, lines, name = read_segments(raw, otherwise)
    if not head.kind.startswith("ORU^R01"):
        raise NotUnderstood(f"it is no ORU^R01 but {head.kind[:20]!r}")
    reports = tuple(_Reader(head, name).reports(lines))
    if not reports:
        raise NotUnderstood("it holds no OBR segment")
    return Message(head, reports)


def read_segments(raw: bytes, otherwise: str) -> tuple[Head, list[str], str]:
    """MSH, the segments and the codec of any message.

    Raises:
        NotUnderstood: it does not begin with MSH.
        BadCharacters: its characters cannot be told.
    """
    head = head_of(raw)
    if not head.kind:
        raise NotUnderstood("it does not begin with an MSH segment")
    name = codec(_character_sets(raw, head), raw, otherwise)
    return head, _segments(decoded(raw, name), head.separators[0]), name


def seconds(moment: str) -> float | None:
    """A time of HL7 as UTC seconds since 1970; without a zone it is this machine's. None: it is none."""
    match = MOMENT.match(moment.strip())
    if match is None:
        return None
    numbers = [int(part or 0) for part in match.groups()[:6]]
    zone = match[7]
    try:
        year, month, day, hour, minute, second = numbers
        found = datetime(year, month, day, hour, minute, second)
        if zone:
            sign = -1 if zone[0] == "-" else 1
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
            return found.replace(tzinfo=timezone(sign * offset)).astimezone(UTC).timestamp()
        return found.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _character_sets(raw: bytes, head: Head) -> list[str]:
    line = re.split(rb"[\r\n]", raw.lstrip(b"\r\n \t"), maxsplit=1)[0].decode("ascii", "replace")
    parts = line.split(head.separators[0], 20)
    repetition = head.separators[2]
    return parts[17].split(repetition) if len(parts) > 17 else []


def _segments(text: str, separator: str) -> list[str]:
    """Segments; a line that begins none goes on with the one before it (senders put bare line ends into OBX-5)."""
    begins = re.compile(rf"[A-Z][A-Z0-9]{{2}}(?:{re.escape(separator)}|$)")
    found: list[list[str]] = []
    for line in re.split(r"\r\n|\r|\n", text):
        if begins.match(line) or not found:
            found.append([line])
        else:
            found[-1].append(line)
    return ["\n".join(lines).rstrip() for lines in found]


class _Reader:
    """The segments of one message."""

    def __init__(self, head: Head, name: str) -> None:
        self._head, self._name = head, name
        self._field, self._component, self._repetition = tuple(head.separators[:3])

    def reports(self, lines: list[str]) -> list[TextReport]:
        """Each OBR with the PID and the ORC before it, and with the OBX and the ZDS after it."""
        opened: list[_Open] = []
        patient, order, study_uid = "", "", ""
        for line in lines:
            kind = line[:3]
            if kind == "PID":
                patient, order, study_uid = line, "", ""
            elif kind == "ORC":
                order = line
            elif kind == "OBR":
                opened.append(_Open(patient, order.split(self._field, 5), line.split(self._field, 30)))
                opened[-1].study_uid, order = study_uid, ""
            elif kind == "OBX" and opened:
                self._observe(opened[-1], line.split(self._field, 12))
            elif kind == "ZDS":
                study_uid = self._placed(_uid(self._first(line.split(self._field, 3), 1)), opened, patient)
        return [self._closed(report) for report in opened]

    def _placed(self, study_uid: str, opened: list[_Open], patient: str) -> str:
        """Give a ZDS to the OBR before it, and to others of the same numbers; without one, to those that follow."""
        if not opened or opened[-1].patient != patient:
            return study_uid
        numbers = self._numbers(opened[-1])
        for report in opened:
            if report.patient == patient and self._numbers(report) in ((), numbers):
                report.study_uid = report.study_uid or study_uid
        return ""

    def _observe(self, report: _Open, parts: list[str]) -> None:
        kind, code = self._at(parts, 2), self._at(parts, 3).split(self._component)
        value, status = self._at(parts, 5), self._at(parts, 11).strip().upper()
        if any(part.strip().upper() in STUDY_CODES for part in code[:2]):
            report.study_uid = _uid(self._plain(value.split(self._component)[0]))
            return
        report.statuses.append(status)
        if status in GONE | NOT_YET:
            return
        if kind in TEXTS:
            report.texts.append(self._plain(value.replace(self._repetition, "\n")))
        elif kind == "ED" and (text := self._encapsulated(value.split(self._component))):
            report.texts.append(text)
        elif value:
            report.odd.append(kind[:8])

    def _encapsulated(self, parts: list[str]) -> str:
        """Text of an ED value: source, type, subtype, encoding, data. Empty where it holds none."""
        if len(parts) < 5 or not {"TEXT", "PLAIN"} & {word for part in parts[1:3] for word in part.upper().split("/")}:
            return ""
        data = self._component.join(parts[4:])
        if parts[3].strip().upper() != "BASE64":
            return self._plain(data)
        try:
            raw = base64.b64decode("".join(data.split()), validate=True)
            return decoded(raw, "utf-8" if _is_utf8(raw) else self._name)
        except (binascii.Error, BadCharacters):
            return ""

    def _numbers(self, report: _Open) -> tuple[str, ...]:
        found = (self._first(report.request, 18), self._first(report.request, 3), self._first(report.order, 3))
        return tuple(dict.fromkeys(one[:64] for one in found if one))

    def _closed(self, report: _Open) -> TextReport:
        status = self._at(report.request, 25).strip().upper()
        told = [one for one in report.statuses if one]
        made = TextReport(
            accession_numbers=self._numbers(report),
            study_uid=report.study_uid,
            of=tuple(one.named for one in patient_ids(report.patient, self._head.separators, self._plain)),
            status=status,
            gone=status in GONE or (bool(told) and set(told) <= GONE),
            at=self._at(report.request, 22) or self._head.sent,
            odd=tuple(report.odd),
        )
        return replace(made, text="\n".join(report.texts).strip())

    def _at(self, parts: list[str], place: int) -> str:
        return parts[place] if place < len(parts) else ""

    def _first(self, parts: list[str], place: int) -> str:
        one = self._at(parts, place).split(self._repetition)[0].split(self._component)[0]
        return self._plain(one).strip()

    def _plain(self, text: str) -> str:
        return unescaped(text, self._head.separators, self._name)


def _uid(text: str) -> str:
    said = text.strip()
    return said if len(said) <= 64 and UID.fullmatch(said) else ""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
