"""Bring a backup onto an empty machine."""

import hashlib
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alembic.script import ScriptDirectory
from sqlalchemy import delete, make_url, select

from dicomnode.archive.files import sync_folder
from dicomnode.backup.manifest import (
    CHUNK,
    CONFIG,
    ENGINE,
    INDEX,
    MODELS,
    NAME,
    STATE,
    Manifest,
    NoBackup,
    read_manifest,
)
from dicomnode.config.tables import Config
from dicomnode.durable import FLOW_VERSION
from dicomnode.errors import ConfigFault
from dicomnode.index.database import MIGRATIONS, Index
from dicomnode.index.schema import BeatRow, InstanceRow, TrainingMemberRow


@dataclass(frozen=True)
class Restored:
    """What came back, and what did not."""

    files: int
    program: str
    """Version that made the backup."""
    made: str
    missing_instances: int
    """Received images that the backup did not hold: the PACS must send them again."""
    kept_models: tuple[str, ...]
    """Models that were there already and were left as they are."""


def write_config(backup: Path, target: Path) -> None:
    """Write the configuration in a backup to a file, for a machine that has none.

    Raises:
        ConfigFault: the file exists already.
        NoBackup: it cannot be restored.
    """
    if target.exists():
        raise ConfigFault(f"{target} exists already: leave --write-config out to use it")
    with _opened(backup) as tar:
        _require_known(_manifest(tar))
        content = _entry(tar, CONFIG).read()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def restore(backup: Path, config: Config) -> Restored:
    """Bring the databases, the outbox, the audit trail and the models back.

    Raises:
        ConfigFault: the state folder is not empty.
        NoBackup: incomplete, altered, or made by a newer program; nothing was changed.
    """
    state = config.node.state
    if state.exists() and any(state.iterdir()):
        raise ConfigFault(f"{state} is not empty: restore onto an empty state folder, or name another in [node].state")
    with _opened(backup) as tar:
        manifest = _manifest(tar)
        _require_known(manifest)
        fresh = state.with_name(state.name + ".restoring")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        try:
            kept = _unpack(tar, manifest, _places(manifest, config, fresh))
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    _move_in(fresh, state)
    return Restored(len(manifest.files), manifest.program, manifest.made, _settle(config), kept)


def _places(manifest: Manifest, config: Config, fresh: Path) -> dict[str, Path]:
    """Where each entry goes; the state is first built beside its place."""
    state = config.node.state
    databases = {INDEX: _database(config.index_url), ENGINE: _database(config.engine_url)}
    places = {}
    for name in manifest.files:
        if name in databases:
            inside = databases[name].is_relative_to(state)
            places[name] = fresh / databases[name].relative_to(state) if inside else databases[name]
        elif name.startswith(STATE):
            places[name] = fresh / name.removeprefix(STATE)
        elif name.startswith(MODELS):
            places[name] = config.infer.folder / name.removeprefix(MODELS)
    return places


def _unpack(tar: tarfile.TarFile, manifest: Manifest, places: dict[str, Path]) -> tuple[str, ...]:
    present = {name for name in _models(manifest) if _model_folder(places, name).exists()}
    for name, place in places.items():
        if not (name.startswith(MODELS) and _model_of(name) in present):
            _unpack_one(_entry(tar, name), place, manifest.files[name])
    return tuple(sorted(present))


def _unpack_one(source: IO[bytes], place: Path, expected: str) -> None:
    if place.exists():
        raise ConfigFault(f"{place} exists already: move it away, then restore again")
    place.parent.mkdir(parents=True, exist_ok=True)
    sha = hashlib.sha256()
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - a mode
        while chunk := source.read(CHUNK):
            sha.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if sha.hexdigest() != expected:
        raise NoBackup(f"{place.name} in it was altered")


def _move_in(fresh: Path, state: Path) -> None:
    if state.exists():
        state.rmdir()
    fresh.replace(state)
    sync_folder(state.parent)


def _settle(config: Config) -> int:
    """Migrate, and forget images whose files did not come back, so that the PACS can send them again."""
    index = Index(config.index_url)
    try:
        index.migrate()
        with index.transaction() as session:
            session.execute(delete(BeatRow))
            rows = session.execute(select(InstanceRow.instance_key, InstanceRow.file))
            gone = {key for key, file in rows if not (config.node.state / file).is_file()}
            gone -= set(session.scalars(select(TrainingMemberRow.instance_key)))
            for key in gone:
                session.execute(delete(InstanceRow).where(InstanceRow.instance_key == key))
        return len(gone)
    finally:
        index.close()


def _require_known(manifest: Manifest) -> None:
    """Refuse a downgrade before anything is written."""
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if manifest.index_version not in known or manifest.flow_version > int(FLOW_VERSION):
        raise NoBackup(f"version {manifest.program} made it, which is newer than this program: install that one")


def _opened(backup: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(backup, mode="r:")
    except (OSError, tarfile.TarError) as fault:
        raise NoBackup(f"{backup} cannot be read ({fault})") from fault


def _manifest(tar: tarfile.TarFile) -> Manifest:
    return read_manifest(_entry(tar, NAME))


def _entry(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        file = tar.extractfile(name)
    except (KeyError, tarfile.TarError):
        file = None
    if file is None:
        raise NoBackup(f"{name} is missing from it: it is incomplete")
    return file


def _database(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigFault("the configuration names a database server: restore that with its own tools (pg_restore)")
    return Path(parsed.database)


def _models(manifest: Manifest) -> set[str]:
    return {_model_of(name) for name in manifest.files if name.startswith(MODELS)}


def _model_of(name: str) -> str:
    return name.removeprefix(MODELS).partition("/")[0]


def _model_folder(places: dict[str, Path], model: str) -> Path:
    name, place = next((name, place) for name, place in places.items() if name.startswith(f"{MODELS}{model}/"))
    return place.parents[len(Path(name).parts) - 3]
