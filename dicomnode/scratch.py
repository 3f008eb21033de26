"""A folder for a while. It goes with the process that made it: at its end, or, after a kill -9, when the next one asks.

The maker holds a lock on the folder (flock(2)), which no end outlives; a folder that nobody holds is left over.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "dicomnode-scratch-"
YOUNG_S = 5.0
"""A folder this new may be one whose maker is about to lock it."""


@contextmanager
def scratch_folder(among: Path | None = None) -> Iterator[Path]:
    """An empty folder, removed when the block ends; those that killed processes left behind are removed first.

    Args:
        among: where to make it; None for the system's place for temporary files.
    """
    place = among or Path(tempfile.gettempdir())
    sweep(place)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True) as folder:
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(held)


def sweep(among: Path) -> None:
    """Remove the folders of this account that nobody holds any more."""
    for folder in among.glob(f"{PREFIX}*"):
        if _is_left_over(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path) -> bool:
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False  # gone, or another account's
    try:
        found = os.fstat(opened)
        if found.st_uid != os.geteuid() or time.time() - found.st_mtime < YOUNG_S:
            return False
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(opened)
    return True
