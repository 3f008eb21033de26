"""Where received instances lie on disk, and how a file gets there so that it survives a power cut.

A path is made from checked UIDs alone: nothing a sender writes can lead out of the state folder.
"""

import errno
import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicomnode.errors import IdentityFault

STUDIES = "studies"
DIGEST_PART = 16
"""Hex digits of the content digest in a file's name: two contents under one UID never share a file."""
PIECE_BYTES = 1 << 20
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}
"""What a file system without hard links answers."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class UnsafeUid(IdentityFault):
    """A UID is missing or not made of digits and dots (PS3.5 9.1)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is missing or no UID")
        self.name = name


def require_uid(uid: str, name: str) -> str:
    """The UID, when it is one: at most 64 characters, digits with single dots between (PS3.5 9.1).

    Components with leading zeros are let through, since old equipment writes them and they harm no path.

    Raises:
        UnsafeUid: it is not.
    """
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise UnsafeUid(name)
    return uid


def instance_file(study_uid: str, series_uid: str, sop_instance_uid: str, content_digest: str) -> str:
    """Path of one version of one instance below the state folder.

    Raises:
        UnsafeUid: one of the UIDs could lead elsewhere.
    """
    study = require_uid(study_uid, "Study Instance UID")
    series = require_uid(series_uid, "Series Instance UID")
    instance = require_uid(sop_instance_uid, "SOP Instance UID")
    return f"{STUDIES}/{study}/{series}/{instance}.{content_digest[:DIGEST_PART]}.dcm"


def place(temporary: Path, handle: int, target: Path, content_digest: str) -> None:
    """Make a complete file durable, then give it its name, and make that durable.

    A file under its name for good is whole, whatever happens. One that is there already, and whole, stays; a damaged
    one is replaced.

    Args:
        temporary: the file; its owner removes this name afterwards.
        handle: the file, still open.
        target: its name for good.
        content_digest: SHA-256 of its data set, hex.

    Raises:
        OSError: it is not durable, and has no name.
    """
    make_durable_folder(target.parent)
    os.fsync(handle)
    if not named_once(temporary, target):
        if digest_of(target) == content_digest:
            _sync_file(target)
            sync_folder(target.parent)
            return
        temporary.replace(target)
    try:
        sync_folder(target.parent)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def named_once(temporary: Path, target: Path) -> bool:
    """Give a file its name, unless another has it: of several at once one gets it, and none is taken away.

    The file may keep its temporary name as well, which its owner removes. The name is not durable yet.

    Raises:
        OSError: the name cannot be given.
    """
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as fault:
        if fault.errno not in NO_LINKS:
            raise
        return _renamed_once(temporary, target)
    return True


def _renamed_once(temporary: Path, target: Path) -> bool:
    """The same where there are no hard links: one at a time looks whether the name is free, and takes it."""
    with _alone_in(target.parent):
        if target.exists():
            return False
        temporary.replace(target)
    return True


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Nobody else gives a name in this folder meanwhile; the lock (flock(2)) is on the folder, and outlives nobody."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def digest_of(file: Path) -> str:
    """SHA-256 of the data set in a DICOM file, without preamble and file meta information, hex."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        head = opened.read(144)
        opened.seek(144 + int.from_bytes(head[140:144], "little"))  # group 0002 tells its length first (PS3.10 7.1)
        while piece := opened.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def make_durable_folder(folder: Path) -> None:
    """Make a folder with its parents, each name synced to disk."""
    if folder.is_dir():
        return
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, in place of what had its name; durable when this returns."""
    synced_file(path.parent, content).replace(path)
    sync_folder(path.parent)


def write_once(path: Path, content: bytes) -> None:
    """Write a file whole, unless its name is taken: of several writers at once, one wins. Durable when this returns.

    Its owner alone may read it.
    """
    if not path.exists():
        temporary = synced_file(path.parent, content)
        try:
            named_once(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def synced_file(folder: Path, content: bytes) -> Path:
    """A file in a folder, durable but for its name, which is to be another."""
    make_durable_folder(folder)
    handle, name = tempfile.mkstemp(".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # a full disk is not filled further with what nobody will read
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _sync_file(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
