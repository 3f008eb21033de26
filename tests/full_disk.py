"""A disk of a few megabytes, for tests that fill it to the last byte."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FILLER = "filler"


@contextmanager
def small_disk(folder: Path, size_mb: int = 24) -> Iterator[Path]:
    """An empty file system of its own, mounted at a folder; skips by name where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here: root alone may")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def fill(disk: Path, leave_bytes: int = 0) -> None:
    """Take all the room of a disk but so much, also while others write to it."""
    empty(disk)
    with (disk / FILLER).open("wb") as file:
        while (take := _room_bytes(disk) - leave_bytes) > 0:
            with suppress(OSError):  # somebody else took some of it meanwhile
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, take)


def _room_bytes(disk: Path) -> int:
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


def empty(disk: Path) -> None:
    """Give the room back."""
    (disk / FILLER).unlink(missing_ok=True)
