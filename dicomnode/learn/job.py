"""The folder of a job: what the node and the child process that works on it tell one another.

`order.json` goes in; `progress.json` tells how far it is; `done.json` or `fault.json` comes out. Each is written under
another name and renamed, so that a reader never sees half of one.
"""

import json
import os
from pathlib import Path

from dicomnode.archive.files import write_whole
from dicomnode.errors import ModelFault
from dicomnode.learn.orders import AnswerOrder, GalleryOrder, Order, PrepareOrder, TrainOrder

ORDER, PROGRESS, DONE, FAULT = "order.json", "progress.json", "done.json", "fault.json"
HOW_ALONE = {"device", "threads", "processes", "memory_share"}
"""Of an order, what may change between two attempts: how it is worked on, not what comes of it."""

AnyOrder = PrepareOrder | TrainOrder | AnswerOrder | GalleryOrder


def place_order(folder: Path, order: AnyOrder) -> None:
    """Put an order into its folder; one that is there already must ask for the same.

    Raises:
        ModelFault: the folder is another job's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / ORDER).is_file() and _what(read_order(folder)) != _what(order):
        raise ModelFault(f"the job folder {folder.name} holds another order: remove it, and start the learning anew")
    (folder / FAULT).unlink(missing_ok=True)
    write(folder / ORDER, Order(order=order).model_dump(mode="json"))


def read_order(folder: Path) -> AnyOrder:
    """The order in a folder."""
    return Order.model_validate_json((folder / ORDER).read_bytes()).order


def read(path: Path) -> dict[str, object] | None:
    """What a file of a job says; None where it is not there."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return dict(found)


def write(path: Path, told: dict[str, object], *, durable: bool = True) -> None:
    """Say something in a file, whole or not at all; on the disk when this returns, where it is durable."""
    content = json.dumps(told, ensure_ascii=False).encode()
    if durable:
        write_whole(path, content)
        return
    making = path.with_name(f".{path.name}.{os.getpid()}")
    making.write_bytes(content)
    making.replace(path)


def _what(order: AnyOrder) -> dict[str, object]:
    return order.model_dump(mode="json", exclude=HOW_ALONE)
