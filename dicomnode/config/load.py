"""Read config.toml once, and report every fault together with its place."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault

DEFAULT_PLACES = (Path("config.toml"), Path("/etc/dicomnode/config.toml"))


def config_path(given: Path | None = None) -> Path:
    """The file to read: the one given, $DICOMNODE_CONFIG, ./config.toml or /etc/dicomnode/config.toml.

    Raises:
        ConfigFault: none of them exists.
    """
    named = given or (Path(os.environ["DICOMNODE_CONFIG"]) if "DICOMNODE_CONFIG" in os.environ else None)
    places = (named,) if named else DEFAULT_PLACES
    for place in places:
        if place.is_file():
            return place
    raise ConfigFault(f"no configuration at {' or '.join(map(str, places))}; name one with --config FILE")


def load(path: Path) -> Config:
    """The configuration in a file; relative paths in it are relative to the file's folder.

    Raises:
        ConfigFault: unreadable, no TOML, or any setting wrong; all faults at once, each with its place.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return _with_absolute_paths(Config.model_validate(raw), path.resolve().parent)
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigFault(f"{path} cannot be read: {fault}") from fault
    except tomllib.TOMLDecodeError as fault:
        raise ConfigFault(f"{path} is no TOML: {fault}") from fault
    except ValidationError as fault:
        faults = [f"{_place(error['loc'])}: {error['msg']}" for error in fault.errors()]
        raise ConfigFault(f"{path} has {len(faults)} fault(s):\n  " + "\n  ".join(faults)) from fault


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place or "the whole file"


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    updates: dict[str, Any] = {
        "node": config.node.model_copy(update={"state": folder / config.node.state}),
        "infer": config.infer.model_copy(update={"folder": folder / config.infer.folder}),
    }
    if config.receive.tls:
        tls = config.receive.tls
        absolute = {name: folder / getattr(tls, name) for name in ("certificate", "key", "authorities")}
        updates["receive"] = config.receive.model_copy(update={"tls": tls.model_copy(update=absolute)})
    return config.model_copy(update=updates)
