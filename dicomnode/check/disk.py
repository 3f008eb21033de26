"""The disk: room, rights, and whether what is written stays."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from dicomnode.check.finding import Finding, fault, ok, warning
from dicomnode.config.tables import Config
from dicomnode.full_disk import is_full

SLOW_FSYNC_S = 0.05
MOUNTS = Path("/proc/mounts")
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})
"""File systems on which SQLite's locks are not to be trusted."""


def disk(config: Config) -> list[Finding]:
    """Look at the state folder."""
    state = config.node.state
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        took_s = fsync_s(state)
    except OSError as error:
        if is_full(error):
            said = f"the disk of {state} is full: studies are refused, and work in hand waits"
            return [fault("disk", said, "make room there; what waits goes on by itself, nothing was lost")]
        words = f"{state} cannot be written ({error.strerror})"
        return [fault("disk", words, f"create it, and give it to the account of the service: {account()}")]
    return [*_room(config, shutil.disk_usage(state).free), _speed(state, took_s), *_kind(config)]


def fsync_s(folder: Path) -> float:
    """Seconds to write one small file, fsync it and its folder, and remove it.

    Raises:
        OSError: it cannot be done.
    """
    begun_s = time.perf_counter()
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".check-") as file:
        file.write(b"check")
        file.flush()
        os.fsync(file.fileno())
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    return time.perf_counter() - begun_s


def account() -> str:
    """Who we are."""
    return f"uid {os.getuid()}"


def file_system(folder: Path, mounts: str) -> str:
    """Kind of the file system that holds a folder, by the text of /proc/mounts."""
    lines = [line.split() for line in mounts.splitlines()]
    holding = [fields for fields in lines if len(fields) > 2 and folder.resolve().is_relative_to(fields[1])]
    return max(holding, key=lambda fields: len(fields[1]))[2] if holding else "unknown"


def _room(config: Config, free: int) -> list[Finding]:
    reserve, keep = config.receive.reserve_bytes, config.storage.keep_free_bytes
    said = f"{gib(free)} free in {config.node.state}, reserve {gib(reserve)}"
    if free < reserve:
        return [fault("disk", f"{said}: studies are refused", "free some space, or lower [receive].reserve_bytes")]
    room = [ok("disk", said)]
    if keep < reserve:
        fix = "set [storage].keep_free_bytes above [receive].reserve_bytes"
        room.append(warning("disk", "studies are refused before old ones are removed", fix))
    return room


def _speed(state: Path, took_s: float) -> Finding:
    said = f"one durable write takes {1000 * took_s:.1f} ms"
    if took_s <= SLOW_FSYNC_S:
        return ok("disk", said)
    return warning("disk", f"{said}: receiving will be slow", f"put {state} on a local solid-state disk")


def _kind(config: Config) -> list[Finding]:
    urls = (config.index_url, config.engine_url)
    if not MOUNTS.exists() or not any(url.startswith("sqlite") for url in urls):
        return []
    kind = file_system(config.node.state, MOUNTS.read_text(encoding="utf-8"))
    if kind not in REMOTE:
        return []
    fix = "put the state on a local disk, or name a PostgreSQL database in [index]"
    return [fault("disk", f"{config.node.state} is on {kind}: SQLite's locks do not hold there", fix)]


def gib(size: int) -> str:
    """A size as a person reads it."""
    return f"{size / (1 << 30):.1f} GiB"
