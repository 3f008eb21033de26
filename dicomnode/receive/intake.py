"""One arriving instance: its bytes to a temporary file, checks, its name, sync, index row, and only then Success.

The data set is written as it was sent, never decoded and encoded again. PS3.4 B.2.2: Success means that
the instance is stored, and it stays stored.
"""

import hashlib
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydicom import Dataset
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.archive.files import STUDIES, instance_file, make_durable_folder, place, require_uid
from dicomnode.archive.reading import read_header, read_wanted
from dicomnode.errors import DiskReserve, NodeError
from dicomnode.index.arrivals import LOOKED_AT, Received, Stored, received
from dicomnode.index.database import Index
from dicomnode.index.group_commit import Recorder
from dicomnode.receive.faults import SUCCESS, CommandMismatch, DiskFull, IndexBusy, InstanceTooLarge, status_of
from dicomnode.receive.part10 import file_head
from dicomnode.receive.refusals import Refusals
from dicomnode.receive.transfers import Transfers

INCOMING = "incoming"
STALE_S = 3600.0
"""A temporary file so old belongs to no living association."""
HEAD_BYTES = 1 << 17
"""So many of its first bytes are kept until it is complete, since the header is in them."""
COMMENT_LENGTH = 64
"""Error Comment (0000,0902) is LO."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Arrival:
    """What a C-STORE request says before its data set comes."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae: str
    address: str
    """Network address of the sender."""


@dataclass(frozen=True)
class Limits:
    """How much an intake takes."""

    reserve_bytes: int
    """Free disk below which nothing more is accepted."""
    instance_bytes: int
    """Largest instance, deflated ones counted as inflated."""


class Intake:
    """Where instances come in; thread-safe, and many processes may have one each on the same state folder."""

    def __init__(self, state: Path, index: Index, refusals: Refusals, limits: Limits) -> None:
        self.state, self.index, self.refusals, self.limits = state, index, refusals, limits
        self.recorder = Recorder(index)
        self.transfers = Transfers()
        self.folder = state / INCOMING
        make_durable_folder(self.folder)
        make_durable_folder(state / STUDIES)

    def begin(self, arrival: Arrival) -> "Incoming":
        """Open a place for one instance. Never raises: what is wrong is answered by `keep`."""
        return Incoming(self, arrival)

    def has_room(self) -> bool:
        """Whether more than the reserve is free."""
        return shutil.disk_usage(self.folder).free > self.limits.reserve_bytes

    def sweep(self) -> None:
        """Remove temporary files that no living association owns."""
        oldest_s = time.time() - STALE_S
        for file in self.folder.iterdir():
            with suppress(FileNotFoundError):  # its owner was done with it meanwhile
                if file.is_file() and file.stat().st_mtime < oldest_s:
                    file.unlink()


class Incoming:
    """One instance on its way in, used by one thread. Ends with `keep` or `abandon`."""

    def __init__(self, intake: Intake, arrival: Arrival) -> None:
        self.arrival = arrival
        self.comment = ""
        """Why it was refused, for Error Comment (0000,0902); empty while nothing is wrong."""
        self._intake = intake
        self._digest = hashlib.sha256()
        self._head = bytearray()
        self._head_bytes = self._data_bytes = 0
        self._handle = -1
        self._temporary = intake.folder / f"{uuid.uuid4().hex}.part"
        self._fault: NodeError | None = None
        self._begin()

    def write(self, part: bytes | memoryview) -> None:
        """Take the next bytes of the encoded data set. Never raises: a full disk is answered by `keep`."""
        if self._fault is not None:
            return
        self._data_bytes += len(part)
        if self._data_bytes > self._intake.limits.instance_bytes:
            self._fault = InstanceTooLarge(self._intake.limits.instance_bytes)
            return
        if len(self._head) < HEAD_BYTES:
            self._head += part[: HEAD_BYTES - len(self._head)]
        self._digest.update(part)
        self._put(part)

    def keep(self) -> int:
        """Store the complete instance and answer the DIMSE status; Success once it is durable and indexed."""
        try:
            if self._fault is not None:
                raise self._fault
            arrival = self._checked()
            self._settle(arrival)
        except NodeError as fault:
            return self._refused(fault)
        finally:
            self.abandon()
        return SUCCESS

    def abandon(self) -> None:
        """Forget the instance (the association ended before it was complete)."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self._temporary.unlink(missing_ok=True)

    def _begin(self) -> None:
        try:
            require_uid(self.arrival.sop_instance_uid, "Affected SOP Instance UID")
            require_uid(self.arrival.sop_class_uid, "Affected SOP Class UID")
            if not self._intake.has_room():
                raise DiskReserve("less free disk than the reserve")
            head = self._file_head()
            self._head_bytes = len(head)
            self._handle = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            self._put(head)
        except NodeError as fault:
            self._fault = fault
        except OSError as fault:
            self._fault = _disk_fault(fault)

    def _file_head(self) -> bytes:
        said = self.arrival
        return file_head(said.sop_class_uid, said.sop_instance_uid, said.transfer_syntax_uid, said.calling_ae)

    def _put(self, part: bytes | memoryview) -> None:
        rest = memoryview(part)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as fault:
            self._fault = _disk_fault(fault)

    def _checked(self) -> Received:
        """What the index will keep, when the data set is whole and is what the request named."""
        said = self.arrival
        try:
            header = self._header()
        except OSError as fault:
            raise _disk_fault(fault) from fault
        arrival = received(header, Stored("", 0, "", said.transfer_syntax_uid, said.calling_ae, time.time()))
        require_uid(arrival.sop_class_uid, "SOP Class UID")
        require_uid(arrival.sop_instance_uid, "SOP Instance UID")
        if arrival.sop_class_uid != said.sop_class_uid:
            raise CommandMismatch("SOP Class UID")
        if arrival.sop_instance_uid != said.sop_instance_uid:
            raise CommandMismatch("SOP Instance UID")
        return arrival

    def _header(self) -> Dataset:
        """What we look at of the header; pydicom reads it where the data set is unusual."""
        file, start, syntax_uid = self._temporary, self._head_bytes, self.arrival.transfer_syntax_uid
        found = read_wanted(bytes(self._head), file, start, syntax_uid, LOOKED_AT)
        if found is not None:
            return found
        return read_header(file, start, syntax_uid, self._intake.limits.instance_bytes)

    def _settle(self, arrival: Received) -> None:
        digest = self._digest.hexdigest()
        file = instance_file(arrival.study_uid, arrival.series_uid, arrival.sop_instance_uid, digest)
        target = self._intake.state / file
        try:
            place(self._temporary, self._handle, target, digest)
            outcome = self._intake.recorder.record(self._with_place(arrival, file, digest))
            target.stat()  # retention may have removed the study while the row was awaited
        except OSError as fault:
            raise _disk_fault(fault) from fault
        except SQLAlchemyError as fault:
            raise IndexBusy(f"the index could not be written ({type(fault).__name__})") from fault
        self._intake.transfers.add(self.arrival.calling_ae, self.arrival.address, arrival.study_uid)
        with suppress(OSError):  # a log on a full disk must not change the answer
            log.debug("receive.stored", sop_instance_uid=arrival.sop_instance_uid, outcome=outcome.value)

    def _with_place(self, arrival: Received, file: str, digest: str) -> Received:
        size = self._head_bytes + self._data_bytes
        was = arrival.stored
        stored = Stored(file, size, digest, was.transfer_syntax_uid, was.calling_ae, was.received_s)
        return arrival.at(stored)

    def _refused(self, fault: NodeError) -> int:
        status = status_of(fault)
        self.comment = str(fault)[:COMMENT_LENGTH]
        said = self.arrival
        self._intake.refusals.record(
            said.calling_ae,
            said.address,
            status=f"{status:04X}",
            reason=str(fault),
            sop_instance_uid=said.sop_instance_uid,
        )
        return status


def _disk_fault(fault: OSError) -> DiskFull:
    return DiskFull(f"the disk refused a write ({fault.strerror or type(fault).__name__})")
