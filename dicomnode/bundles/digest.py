"""The digest of a bundle: one figure over every file that can change a result.

A bundle is code: its configuration is evaluated, its scripts and its root are importable. So every
file counts, but for those that only speak to people or to training.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from dicomnode.errors import ModelFault

NOT_COUNTED = (
    "docs/*", "LICENSE*", "README*", "CHANGELOG*", "*.md", "large_files.yml",
    "configs/train*", "configs/multi_gpu*", "configs/evaluate*", "configs/split*", "configs/logging.conf",
)  # fmt: skip
"""Globs, relative to the bundle. Hidden files and Python's caches are not counted either (nor are they read)."""

ADAPTER, DOMAIN, TELLS, METADATA = (
    "models/adapter.safetensors",
    "models/domain.npz",
    "dicom.toml",
    "configs/metadata.json",
)
PARTICULAR = (ADAPTER, DOMAIN, TELLS)
"""What versions that were made here differ in, while they share their base: adapter, learnt domain check, decisions."""

FRESH_S = 2.0
"""A file changed so lately is read whatever its times say."""


def digest(bundle: Path) -> str:
    """SHA-256 over names and contents of the counted files, hex; independent of order and time stamps.

    Raises:
        ModelFault: no such folder, or it holds a link to a folder (whose files would not be counted).
    """
    if not bundle.is_dir():
        raise ModelFault(f"there is no bundle {bundle}")
    total = hashlib.sha256()
    for path in counted_files(bundle):
        total.update(f"{path.relative_to(bundle).as_posix()}\0{content_digest(path)}\n".encode())
    return total.hexdigest()


def body_digest(bundle: Path) -> str:
    """SHA-256 over what versions of one base have in common: every counted file but PARTICULAR and the version's name.

    Raises:
        ModelFault: as `digest`; or its metadata cannot be read.
    """
    total = hashlib.sha256()
    for path in counted_files(bundle):
        name = path.relative_to(bundle).as_posix()
        if name not in PARTICULAR:
            found = _without_version(path) if name == METADATA else content_digest(path)
            total.update(f"{name}\0{found}\n".encode())
    return total.hexdigest()


def _without_version(path: Path) -> str:
    try:
        metadata = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as fault:
        raise ModelFault(f"{path} cannot be read: {fault}") from fault
    metadata.pop("version", None)
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def counted_files(bundle: Path) -> tuple[Path, ...]:
    """The files that can change a result, in a fixed order."""
    return tuple(sorted(_counted(bundle), key=lambda path: path.relative_to(bundle).as_posix()))


def content_digest(path: Path) -> str:
    """SHA-256 of one file, hex; a file that nobody touched since this process last read it is not read again.

    The change time, which no program can set, is part of what tells. A file changed a moment ago is always read: it
    could change again within the same tick of the file system's clock.
    """
    found = path.stat()
    if time.time() - found.st_ctime < FRESH_S:
        return _read_digest(path)
    return _remembered_digest(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@lru_cache(maxsize=4096)
def _remembered_digest(path: Path, _: tuple[int, ...]) -> str:
    return _read_digest(path)


def _read_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _counted(bundle: Path) -> Iterator[Path]:
    for path in bundle.rglob("*"):
        relative = path.relative_to(bundle)
        if any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            continue
        if path.is_symlink() and path.is_dir():
            raise ModelFault(f"{path} is a link to a folder: a bundle must hold its files itself")
        if (
            path.is_file()
            and not any(relative.match(pattern) for pattern in NOT_COUNTED)
            and relative.parts[0] != "docs"
        ):
            yield path
