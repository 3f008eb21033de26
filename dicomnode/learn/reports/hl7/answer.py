"""What a sender is told: AA once its message is durable, AE where the message is at fault, AR where we cannot take it.

Source: HL7 v2.5.1 chapter 2, 2.9.2 (original acknowledgment), table HL70008.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.config.learning import Learn
from dicomnode.errors import NodeError
from dicomnode.index.database import Index
from dicomnode.learn.reports.hl7.frames import Frame
from dicomnode.learn.reports.hl7.keep import Keeping, Kept, keep
from dicomnode.learn.reports.hl7.merge import keep_merge
from dicomnode.learn.reports.hl7.message import Head, NotUnderstood, head_of, read_message
from dicomnode.learn.reports.hl7.text import BadCharacters

log = structlog.get_logger()

ACCEPTED, ERROR, REJECTED = "AA", "AE", "AR"
REPORT, MERGE = "ORU^R01", "ADT^A40"
"""What is taken: message and trigger event."""


@dataclass(frozen=True)
class Answering:
    """What every message is kept with."""

    index: Index
    learn: Learn
    state: Path
    """The state folder, where the split key lies."""

    def answer(self, frame: Frame) -> bytes | None:
        """The acknowledgment of a frame; None of half a message, which its sender will send again."""
        head = head_of(frame.message)
        if frame.stray:
            log.warning("hl7.stray_bytes", bytes=frame.stray)
        if frame.half:
            log.warning("hl7.half_message", bytes=len(frame.message))
            return None
        code, words = self._judged(frame, head)
        if code != ACCEPTED:
            log.warning("hl7.refused", code=code, reason=words)
        return acknowledgment(head, code, words)

    def _judged(self, frame: Frame, head: Head) -> tuple[str, str]:
        if frame.oversized:
            return REJECTED, f"the message is larger than {self.learn.hl7.max_message_bytes} bytes"
        if head.kind and not head.kind.startswith((REPORT, MERGE)):
            return REJECTED, f"only {REPORT} and {MERGE} are taken here"
        try:
            kept = self._kept(frame.message, head)
        except (NotUnderstood, BadCharacters) as fault:
            return ERROR, str(fault)
        except (NodeError, SQLAlchemyError, OSError) as fault:
            log.error("hl7.unkept", reason=type(fault).__name__)
            return REJECTED, f"it could not be kept ({type(fault).__name__}): send it again"
        return ACCEPTED, kept.words

    def _kept(self, raw: bytes, head: Head) -> Kept:
        """Durable when it returns."""
        if head.kind.startswith(MERGE):
            with self.index.transaction() as session:
                return keep_merge(Keeping(session, self.learn, self.state, head), raw)
        message = read_message(raw, self.learn.hl7.encoding)
        with self.index.transaction() as session:
            return keep(Keeping(session, self.learn, self.state, head), message, raw)


def acknowledgment(head: Head, code: str, words: str) -> bytes:
    """An ACK to a message."""
    field, component, repetition, escape, *rest = tuple(head.separators)
    plain = "".join(" " if char in head.separators or not char.isprintable() else char for char in words)
    now = time.strftime("%Y%m%d%H%M%S%z")
    encoding = "".join((component, repetition, escape, *rest))
    trigger = (*head.kind.split("^"), "")[1] or "R01"
    kind = component.join(("ACK", trigger[:3], "ACK"))
    number = f"{time.time_ns():020d}"
    ours = ("MSH", encoding, "dicomnode", "", head.application, head.facility, now, "", kind, number, "P", head.version)
    said = ("MSA", code, head.control_id, plain[:200])
    return "".join(f"{field.join(segment)}\r" for segment in (ours, said)).encode("latin-1", "replace")
