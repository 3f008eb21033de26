"""What a training that was killed goes on from: written whole after every epoch, or not at all."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from dicomnode.full_disk import is_full
from dicomnode.learn.train.faults import NoRoomToLearn


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Fill a file under another name, put it on the disk, and give it its name.

    Raises:
        NoRoomToLearn: the disk is full; the file is what it was before.
    """
    making = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with making.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
    except (OSError, RuntimeError) as fault:
        if is_full(fault) or is_full(fault.__cause__ or fault) or _no_room(path.parent):
            raise NoRoomToLearn from fault
        raise
    finally:
        making.unlink(missing_ok=True)


def save(path: Path, state: dict[str, Any]) -> None:
    """Keep tensors and plain values."""
    write_whole(path, lambda file: torch.save(state, file))


def read(path: Path, stamp: str) -> dict[str, Any] | None:
    """What was kept, if it was by the same order; None where there is nothing, or it is damaged."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        return None
    return found if isinstance(found, dict) and found.get("stamp") == stamp else None


def _no_room(folder: Path) -> bool:
    """Torch's own writer tells a full disk in no error number."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < 1 << 20


def save_weights(path: Path, network: torch.nn.Module) -> None:
    """Write a network's weights as a bundle has them."""
    weights = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    write_whole(path, lambda file: torch.save(weights, file))
