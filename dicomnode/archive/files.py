"""Where received instances lie on disk, and how a file gets there so that it survives a power cut.

A path is made from checked UIDs alone: nothing a sender writes can lead out of the state folder.
"""

import os
import re
from pathlib import Path

from dicomnode.errors import IdentityFault

STUDIES = "studies"
DIGEST_PART = 16
"""Hex digits of the content digest in a file's name: two contents under one UID never share a file."""
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


def place(temporary: Path, target: Path) -> None:
    """Rename a complete, synced file to its place and make the name durable."""
    make_durable_folder(target.parent)
    temporary.replace(target)
    sync_folder(target.parent)


def make_durable_folder(folder: Path) -> None:
    """Make a folder with its parents, each name synced to disk."""
    if folder.is_dir():
        return
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
