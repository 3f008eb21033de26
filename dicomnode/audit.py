"""The audit trail: who sent, queried, exported, retried, approved, in the terms of PS3.15 A.5 (ATNA).

One JSON object a line under <state>/audit/, one file a day (UTC), appended and fsynced, never rewritten by
the node and kept apart from the logs. A patient appears through the Study Instance UID alone.
"""

import errno
import fcntl
import getpass
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from pathlib import Path

import structlog

from dicomnode.config.tables import Config

log = structlog.get_logger()


@dataclass(frozen=True)
class AuditCode:
    """One coded term of DCM (PS3.16 CID 400-403)."""

    code: str
    meaning: str


class Action(StrEnum):
    """Event Action Code (PS3.15 Table A.5.2-1)."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(IntEnum):
    """Event Outcome Indicator (PS3.15 Table A.5.2-1)."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8
    MAJOR_FAILURE = 12


APPLICATION_ACTIVITY = AuditCode("110100", "Application Activity")
INSTANCES_ACCESSED = AuditCode("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = AuditCode("110104", "DICOM Instances Transferred")
STUDY_DELETED = AuditCode("110105", "DICOM Study Deleted")
EXPORT = AuditCode("110106", "Export")
QUERY = AuditCode("110112", "Query")
SECURITY_ALERT = AuditCode("110113", "Security Alert")
START = AuditCode("110120", "Application Start")
STOP = AuditCode("110121", "Application Stop")
NODE_AUTHENTICATION = AuditCode("110126", "Node Authentication")
SOFTWARE_CONFIGURATION = AuditCode("110131", "Software Configuration")
RESTRICTED_FUNCTION = AuditCode("110132", "Use of Restricted Function")
APPLICATION = AuditCode("110150", "Application")
DESTINATION = AuditCode("110152", "Destination Role ID")
SOURCE = AuditCode("110153", "Source Role ID")
STUDY_UID = AuditCode("110180", "Study Instance UID")


@dataclass(frozen=True)
class Participant:
    """One who took part (Active Participant)."""

    user: str
    """AE title or login name."""
    role: AuditCode = APPLICATION
    requestor: bool = False
    address: str = ""
    """Network access point, for an AE."""

    def as_dict(self) -> dict[str, object]:
        """In the attribute names of the standard."""
        told: dict[str, object] = {
            "UserID": self.user,
            "UserIsRequestor": self.requestor,
            "RoleIDCode": _term(self.role),
        }
        if self.address:
            told |= {"NetworkAccessPointID": self.address, "NetworkAccessPointTypeCode": 2}  # 2: IP address
        return told


@dataclass(frozen=True)
class AuditEvent:
    """What happened, to which studies, by whom."""

    id: AuditCode
    action: Action
    participants: tuple[Participant, ...]
    type: AuditCode | None = None
    outcome: Outcome = Outcome.SUCCESS
    study_uids: tuple[str, ...] = ()
    facts: Mapping[str, str | int] = field(default_factory=dict)
    """Our own keys, counts and reasons (Participant Object Detail); no identity."""

    def as_dict(self, source: str, at: datetime) -> dict[str, object]:
        """The audit message, in the attribute names of the standard (PS3.15 A.5.1)."""
        identification: dict[str, object] = {
            "EventID": _term(self.id),
            "EventActionCode": self.action.value,
            "EventDateTime": at.isoformat(timespec="milliseconds"),
            "EventOutcomeIndicator": self.outcome.value,
        }
        if self.type:
            identification["EventTypeCode"] = _term(self.type)
        return {
            "EventIdentification": identification,
            "ActiveParticipant": [participant.as_dict() for participant in self.participants],
            "AuditSourceIdentification": {"AuditSourceID": source},
            "ParticipantObjectIdentification": [_study(uid) for uid in self.study_uids],
            "ParticipantObjectDetail": [{"type": name, "value": value} for name, value in self.facts.items()],
        }


class AuditTrail:
    """The trail of one node; any number of processes and threads may append to it."""

    def __init__(self, folder: Path, ae_title: str) -> None:
        self.folder, self.ae_title = folder, ae_title
        self._lock = threading.Lock()

    @classmethod
    def of(cls, config: Config) -> "AuditTrail":
        """The trail in the state folder of a configuration."""
        return cls(config.node.state / "audit", config.receive.ae_title)

    def record(self, event: AuditEvent) -> None:
        """Append one event; it is on disk when this returns.

        What it tells of has happened already, so a full disk does not make it fail: the log says what is missing.
        """
        now = datetime.now(UTC)
        line = json.dumps(event.as_dict(self.ae_title, now), ensure_ascii=False) + "\n"
        try:
            with self._lock:
                self._append(self.folder / f"{now:%Y-%m-%d}.jsonl", line.encode())
        except OSError as fault:
            log.error("audit.unwritten", what=event.id.meaning, studies=event.study_uids, reason=fault.strerror)

    def _append(self, path: Path, line: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._hand_over(file)
            fcntl.flock(file, fcntl.LOCK_EX)
            self._write_whole(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def _write_whole(self, file: int, line: bytes) -> None:
        """Write a whole line or nothing of it: the next one must not begin in its middle."""
        before = os.fstat(file).st_size
        if os.write(file, line) < len(line):
            os.ftruncate(file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _hand_over(self, file: int) -> None:
        """What root's command wrote belongs to the service all the same, which goes on in the same file."""
        if os.geteuid() == 0:
            owner = self.folder.parent.stat()
            os.chown(self.folder, owner.st_uid, owner.st_gid)
            os.fchown(file, owner.st_uid, owner.st_gid)

    def received(self, *, calling_ae: str, address: str, study_uid: str, instances: int) -> None:
        """A peer sent instances of one study (once an association and study)."""
        them = Participant(calling_ae, SOURCE, requestor=True, address=address)
        self._transferred(them, Participant(self.ae_title, DESTINATION), study_uid, instances)

    def sent(self, *, called_ae: str, address: str, study_uid: str, instances: int = 1) -> None:
        """We stored results of one study at a peer."""
        us = Participant(self.ae_title, SOURCE, requestor=True)
        self._transferred(us, Participant(called_ae, DESTINATION, address=address), study_uid, instances)

    def queried(self, *, calling_ae: str, called_ae: str, address: str, study_uids: Sequence[str] = ()) -> None:
        """One AE asked another what it has; one of both is us."""
        asker = Participant(calling_ae, SOURCE, requestor=True)
        asked = Participant(called_ae, DESTINATION, address=address)
        self.record(AuditEvent(QUERY, Action.EXECUTE, (asker, asked), study_uids=tuple(study_uids)))

    def refused(self, *, calling_ae: str, address: str, reason: str) -> None:
        """An association was refused because we do not know the caller."""
        caller = Participant(calling_ae, SOURCE, requestor=True, address=address)
        failure = Outcome.MINOR_FAILURE
        facts = {"reason": reason}
        self.record(AuditEvent(SECURITY_ALERT, Action.EXECUTE, (caller,), NODE_AUTHENTICATION, failure, facts=facts))

    def exported(self, *, by: str, study_uid: str, instances: int) -> None:
        """A person wrote a study to a folder outside the node."""
        self.record(_by(by, EXPORT, Action.READ, None, (study_uid,), {"instances": instances}))

    def deleted(self, *, study_uid: str, reason: str) -> None:
        """Retention removed a study."""
        us = Participant(self.ae_title, requestor=True)
        event = AuditEvent(STUDY_DELETED, Action.DELETE, (us,), study_uids=(study_uid,), facts={"reason": reason})
        self.record(event)

    def commanded(self, *, by: str, command: str, study_uid: str = "", run_key: str = "") -> None:
        """A person retried, cancelled, paused or decided something."""
        facts = {"command": command} | ({"run": run_key} if run_key else {})
        studies = (study_uid,) if study_uid else ()
        self.record(_by(by, APPLICATION_ACTIVITY, Action.EXECUTE, RESTRICTED_FUNCTION, studies, facts))

    def approved(self, *, by: str, model: str, digest: str, approved: bool = True) -> None:
        """A person approved a model version, or took the approval back."""
        facts = {"model": model, "digest": digest, "approved": str(approved).lower()}
        self.record(_by(by, SECURITY_ALERT, Action.UPDATE, SOFTWARE_CONFIGURATION, (), facts))

    def started(self, process: str) -> None:
        """A process of the node started."""
        self._activity(process, START)

    def stopped(self, process: str) -> None:
        """A process of the node stopped."""
        self._activity(process, STOP)

    def _activity(self, process: str, kind: AuditCode) -> None:
        us = Participant(self.ae_title)
        self.record(AuditEvent(APPLICATION_ACTIVITY, Action.EXECUTE, (us,), kind, facts={"process": process}))

    def _transferred(self, source: Participant, destination: Participant, study_uid: str, instances: int) -> None:
        """PS3.15 A.5.3.7: C where the recipient stored new instances."""
        both, facts = (source, destination), {"instances": instances}
        self.record(AuditEvent(INSTANCES_TRANSFERRED, Action.CREATE, both, study_uids=(study_uid,), facts=facts))


def login_name() -> str:
    """Who types the command, for `by`: the person behind sudo, or the login name."""
    named = os.environ.get("SUDO_USER")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return f"uid {os.getuid()}"


def _by(
    person: str,
    what: AuditCode,
    action: Action,
    kind: AuditCode | None,
    study_uids: tuple[str, ...],
    facts: Mapping[str, str | int],
) -> AuditEvent:
    return AuditEvent(what, action, (Participant(person, requestor=True),), kind, Outcome.SUCCESS, study_uids, facts)


def _term(code: AuditCode) -> dict[str, str]:
    return {"csd-code": code.code, "codeSystemName": "DCM", "originalText": code.meaning}


def _study(study_uid: str) -> dict[str, object]:
    return {
        "ParticipantObjectID": study_uid,
        "ParticipantObjectTypeCode": 2,  # a system object
        "ParticipantObjectTypeCodeRole": 3,  # a report, here: the study
        "ParticipantObjectIDTypeCode": _term(STUDY_UID),
    }
