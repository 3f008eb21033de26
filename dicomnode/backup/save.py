"""Write a backup while the node runs."""

import hashlib
import io
import os
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url, select

from dicomnode import __version__
from dicomnode.archive.files import named_once, sync_folder
from dicomnode.backup.manifest import CONFIG, ENGINE, INDEX, MODELS, NAME, STATE, Manifest
from dicomnode.config.tables import Config
from dicomnode.durable import FLOW_VERSION
from dicomnode.errors import ConfigFault, DiskReserve
from dicomnode.full_disk import is_full
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, RunInstanceRow, RunRow
from dicomnode.learn.versions.record import HEAD
from dicomnode.scratch import scratch_folder
from dicomnode.values import RunStatus

LEFT_OUT = ("studies", "tmp", "incoming", "locks")
"""Folders of the state that a backup does not hold (studies: where asked for)."""
SETTLED = (RunStatus.DONE, RunStatus.CANCELLED)


@dataclass(frozen=True)
class Saved:
    """What a backup holds."""

    files: int
    size_bytes: int


def save(config: Config, config_file: Path, index: Index, target: Path, *, with_studies: bool) -> Saved:
    """Write a backup of the node; it may go on working meanwhile.

    Args:
        config: of the node.
        config_file: where that was read from.
        index: open index.
        target: file to write; it holds identities, and only its owner can read it.
        with_studies: hold every received instance. Those of unfinished runs are held in any case.

    Raises:
        ConfigFault: the target exists already, or does when the backup is ready; or a database is no SQLite file.
        DiskReserve: the target's disk is full.
    """
    if target.exists():
        raise ConfigFault(f"{target} exists already: name another file")
    try:
        with scratch_folder(target.parent) as folder:
            backup, count = _save(config, config_file, index, folder, with_studies=with_studies)
            if not named_once(backup, target):
                raise ConfigFault(f"another backup was written to {target} meanwhile, and is kept: name another file")
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as fault:
        if is_full(fault):
            raise DiskReserve(f"no room for the backup in {target.parent}: nothing was written there") from fault
        raise
    return Saved(count, target.stat().st_size)


def _save(config: Config, config_file: Path, index: Index, folder: Path, *, with_studies: bool) -> tuple[Path, int]:
    databases = {INDEX: _sqlite_file(config.index_url), ENGINE: _sqlite_file(config.engine_url)}
    head = _head_of_decisions(config.node.state, folder)
    copies = copy_databases(databases, folder)
    state_files = _state_files(config, index, with_studies) | head
    files = {CONFIG: config_file, **copies, **state_files, **_model_files(config)}
    backup = folder / "backup.tar"
    with open(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a mode
        _write(file, files, _manifest(index, with_studies))
        os.fsync(file.fileno())
    return backup, len(files)


def _head_of_decisions(state: Path, folder: Path) -> dict[str, Path]:
    """The head of the record of decisions as it was before the index was copied: it must not run ahead of it."""
    if not (state / HEAD).is_file():
        return {}
    copy = folder / HEAD.name
    copy.write_bytes((state / HEAD).read_bytes())
    return {f"{STATE}{HEAD.as_posix()}": copy}


def copy_databases(databases: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Copy both databases as of one moment, by SQLite's online backup, while others go on writing to them."""
    with _pinned(databases) as pinned:
        return {name: _copied(source, folder / name) for name, source in pinned.items()}


@contextmanager
def _pinned(databases: dict[str, Path]) -> Iterator[dict[str, sqlite3.Connection]]:
    """Connections that read each database as it is at one moment, for as long as the block lasts.

    The index's write lock is held until both are pinned: no workflow can note in the engine what that state of the
    index lacks. A read transaction pins; in WAL mode, as ours are, no writer waits for one.
    """
    with ExitStack() as opened:
        held = opened.enter_context(_connection(databases[INDEX]))
        found = {name: opened.enter_context(_connection(path)) for name, path in databases.items() if path.exists()}
        held.execute("BEGIN IMMEDIATE")
        for reader in found.values():
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        held.execute("ROLLBACK")
        yield found


def _connection(database: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(database, timeout=60, isolation_level=None))


def _copied(source: sqlite3.Connection, target: Path) -> Path:
    with closing(sqlite3.connect(target)) as new:
        source.backup(new)
    return target


def _write(file: IO[bytes], files: dict[str, Path], manifest: Manifest) -> None:
    with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:  # versions share files: each is kept whole
        for name, path in files.items():
            try:
                manifest.files[name] = _add(tar, name, path)
            except FileNotFoundError:  # removed by retention since it was listed
                continue
        text = manifest.text().encode()
        entry = tarfile.TarInfo(NAME)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))


def _add(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """Add one file as long as it is now (the audit trail grows meanwhile); the digest of what was added."""
    with path.open("rb") as file:
        entry = tar.gettarinfo(arcname=name, fileobj=file)
        hashed = Hashed(file)
        tar.addfile(entry, hashed)
    return hashed.sha.hexdigest()


class Hashed:
    """A file that digests what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        chunk = self._file.read(size)
        self.sha.update(chunk)
        return chunk


def _manifest(index: Index, with_studies: bool) -> Manifest:
    with index.engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision() or ""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(__version__, revision, int(FLOW_VERSION), made, with_studies, {})


def _state_files(config: Config, index: Index, with_studies: bool) -> dict[str, Path]:
    state = config.node.state
    folders = [path for path in sorted(state.iterdir()) if path.is_dir() and path.name not in LEFT_OUT]
    kept = [path for folder in folders for path in _files_below(folder)]
    kept += list(_files_below(state / "studies")) if with_studies else _unfinished(state, index)
    return {f"{STATE}{path.relative_to(state).as_posix()}": path for path in kept}


def _unfinished(state: Path, index: Index) -> list[Path]:
    """Files that runs still need."""
    question = (
        select(InstanceRow.file)
        .join(RunInstanceRow, RunInstanceRow.instance_key == InstanceRow.instance_key)
        .join(RunRow, RunRow.run_key == RunInstanceRow.run_key)
        .where(RunRow.status.not_in(SETTLED))
        .distinct()
    )
    with index.snapshot() as session:
        return [path for file in session.scalars(question) if (path := state / file).is_file()]


def _model_files(config: Config) -> dict[str, Path]:
    folder = config.infer.folder
    names = {name for route in config.routes for name in route.models}
    files = [path for name in sorted(names) for path in _files_below(folder / name) if "__pycache__" not in path.parts]
    return {f"{MODELS}{path.relative_to(folder).as_posix()}": path for path in files}


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _sqlite_file(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        where = f"{parsed.get_backend_name()} on {parsed.host}"
        raise ConfigFault(f"a database is {where}: back it up with that database's own tools (pg_dump), at one time")
    return Path(parsed.database)
