"""Where versions lie: a whole bundle each, in a folder named for its digest, that nobody changes.

    state/models/<16 digits of the digest>/<model>/         the bundle: never written to again
    state/models/<16 digits of the digest>/manifest.json    all that made it

A bundle must lie in a folder of its own name, and the manifest must not be part of what it describes: hence two levels.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dicomnode.archive.files import make_durable_folder, sync_folder
from dicomnode.bundles.digest import digest
from dicomnode.errors import ModelFault
from dicomnode.scratch import scratch_folder
from dicomnode.values import ModelVersion

MODELS = "models"
DIGEST_PART = 16
READ_ONLY = 0o400


class Tampered(ModelFault):
    """The files of a version are not those it was made of."""

    def __init__(self, model: str, expected: str, why: str) -> None:
        super().__init__(
            f"version {expected[:12]} of {model} may not run: {why}. Restore its folder from a backup, or "
            f"`dicomnode models rollback {model}`"
        )
        self.model, self.digest, self.why = model, expected, why


def version_folder(model: str, found: str) -> str:
    """Of the bundle of a version, below the state folder."""
    return f"{MODELS}/{found[:DIGEST_PART]}/{model}"


def require_intact(folder: Path, model: str, expected: str) -> None:
    """Read every file of a version again, unless nobody touched it since.

    Raises:
        Tampered: they are not what the digest stands for.
    """
    try:
        found = digest(folder)
    except (ModelFault, OSError) as fault:
        raise Tampered(model, expected, f"its folder cannot be read ({fault})") from fault
    if found != expected:
        raise Tampered(model, expected, f"its files were changed (their digest is now {found[:12]})")


def keep_base(state: Path, base: ModelVersion) -> Path:
    """A copy of an installed bundle as it was approved, which all its versions share; its folder.

    Raises:
        Tampered: the installed bundle, or the copy, is not what was approved.
    """
    target = state / version_folder(base.name, base.digest)
    if target.exists():
        require_intact(target, base.name, base.digest)
    else:
        require_intact(base.folder, base.name, base.digest)
        found = keep_folder(state, base.name, lambda bundle: copied(base.folder, bundle))
        require_intact(state / version_folder(base.name, found), base.name, base.digest)
    return target


def keep_folder(state: Path, model: str, fill: Callable[[Path], None]) -> str:
    """Make the folder of a version, durable before it has its name; the same files give the same folder.

    Args:
        state: of the node.
        model: name of the bundle.
        fill: writes the files of the bundle into a folder.

    Returns:
        The digest of what was written.

    Raises:
        Tampered: a version of this digest lies there, and is not what its name says.
    """
    make_durable_folder(state / MODELS)
    make_durable_folder(state / "tmp")
    with scratch_folder(state / "tmp") as scratch:
        bundle = scratch / model
        bundle.mkdir()
        fill(bundle)
        found = digest(bundle)
        target = state / version_folder(model, found)
        if target.exists():
            require_intact(target, model, found)
            return found
        make_durable(bundle)
        make_durable_folder(target.parent)
        bundle.rename(target)
        sync_folder(target.parent)
    return found


def copied(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy the files of a bundle, hidden ones and caches left out; with `link`, the file itself where that is possible.

    An installed bundle is never linked: whoever edited it would edit the version.
    """
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            continue
        if path.is_dir():
            (target / relative).mkdir(parents=True, exist_ok=True)
            continue
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        if not (link and _linked(path, target / relative)):
            shutil.copyfile(path, target / relative)


def replaced(path: Path, content: bytes) -> None:
    """Write a file of a version that is being made; what was linked there stays as it is elsewhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def make_durable(folder: Path) -> None:
    """Have every file below a folder on disk, readable and not writable by us."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
            continue
        path.chmod(READ_ONLY)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_folder(folder)


def _linked(path: Path, target: Path) -> bool:
    try:
        target.hardlink_to(path)
    except OSError:
        return False
    return True
