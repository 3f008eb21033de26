"""What a backup says of itself: who made it, and the digest of every file in it."""

import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from dicomnode.errors import ConfigFault

NAME = "MANIFEST.json"
FORMAT = 1
CONFIG, INDEX, ENGINE, STATE, MODELS = "config.toml", "index.sqlite", "engine.sqlite", "state/", "models/"
"""Names in a backup: three files, and two folders."""
CHUNK = 1 << 20


class NoBackup(ConfigFault):
    """A file is no complete backup that this program can restore."""

    def __init__(self, why: str) -> None:
        super().__init__(f"this backup cannot be restored: {why}")


@dataclass(frozen=True)
class Manifest:
    """The last entry of a backup; without it the backup is incomplete."""

    program: str
    """Version of the program that made it."""
    index_version: str
    """Migration that its index is at."""
    flow_version: int
    """Of its unfinished workflows."""
    made: str
    """When, ISO 8601, UTC."""
    with_studies: bool
    """Whether it holds every received instance."""
    files: dict[str, str]
    """SHA-256 of every other entry, by name."""
    format: int = FORMAT

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1)


def read_manifest(file: IO[bytes]) -> Manifest:
    """The manifest in an open file.

    Raises:
        NoBackup: it is none, is of a newer format, or names a file that would lie outside.
    """
    try:
        content: dict[str, Any] = json.loads(file.read())
        if content.get("format") != FORMAT:
            raise NoBackup(f"it is of format {content.get('format')}, and this program knows {FORMAT}")
        manifest = Manifest(**content)
        unsafe = [name for name in manifest.files if not _inside(name)]
    except (ValueError, TypeError, AttributeError) as fault:
        raise NoBackup("its manifest is broken") from fault
    if unsafe:
        raise NoBackup(f"it names {unsafe[0]!r}, which no backup of ours would")
    return manifest


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    known = name in (CONFIG, INDEX, ENGINE) or name.startswith((STATE, MODELS))
    return known and not path.is_absolute() and ".." not in path.parts and str(path) == name
