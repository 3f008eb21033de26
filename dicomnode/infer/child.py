"""The process of one model: loads its bundle once, then answers until the node goes away.

Started by `worker`, never by a person. It knows no patient: voxels and their geometry come in, a
prediction goes out.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path

import torch

import dicomnode.infer.monai_alone  # noqa: F401 - before what imports MONAI

# isort: split
from dicomnode.bundles.digest import digest
from dicomnode.errors import ModelFault, NodeError
from dicomnode.infer.answer import Model
from dicomnode.infer.bundle import as_version, load_bundle
from dicomnode.infer.faults import OutOfMemory
from dicomnode.infer.forward import Forward, device_of, is_out_of_memory
from dicomnode.infer.protocol import Load, ask_of, fault_message, prediction_message
from dicomnode.infer.wire import Message, receive, send

PR_SET_PDEATHSIG = 1


def main() -> None:
    """`python -m dicomnode.infer.child CHANNEL PARENT`: file descriptor of the channel, process id of the node."""
    channel, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    die_with(parent)
    model: Model | None = None
    while (message := _next(channel)) is not None:
        answer, model = answered(message, model)
        send(channel, answer)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the node's ends (prctl(2)); at once if it already has.

    Where the machine runs out of memory, this process goes before those that receive and send.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the node is gone")


def answered(message: Message, model: Model | None) -> tuple[Message, Model | None]:
    """The answer to one request, and the model that is loaded after it."""
    try:
        if message.kind in ("load", "swap"):
            began_s, before, model = time.monotonic(), model, None
            order = Load(**message.fields)
            model = load(order) if message.kind == "load" or before is None else swapped(before, order)
            seconds = time.monotonic() - began_s
            return Message("loaded", {"device": str(model.forward.device), "seconds": seconds}), model
        if model is None:
            raise ModelFault("no bundle is loaded")
        return prediction_message(model.predict(ask_of(message))), model
    except NodeError as fault:
        return fault_message(fault), model
    except Exception as fault:  # noqa: BLE001 -- a bundle's code may raise anything; this parks its run
        return fault_message(named(fault)), model


def named(fault: Exception) -> NodeError:
    """What a bundle's code raised, as an error of ours; MONAI wraps what a transform raised."""
    first = fault
    while isinstance(first.__cause__, Exception):
        first = first.__cause__
    if is_out_of_memory(first):
        return OutOfMemory(())
    where = f" ({str(fault).splitlines()[0]})" if first is not fault else ""
    return ModelFault(f"the bundle's code raised {type(first).__name__}: {first}{where}")


def load(order: Load) -> Model:
    """The bundle, loaded from files that are the approved ones.

    Raises:
        ModelFault: they are not, or cannot be loaded.
    """
    folder = _approved(order)
    if order.threads:
        torch.set_num_threads(order.threads)
    device, note = device_of(order.device, allow_cpu=order.allow_cpu)
    bundle = load_bundle(folder)
    forward = Forward(bundle.network, bundle.inferer, device, allow_cpu=order.allow_cpu)
    forward.mixed_precision = order.mixed_precision
    return Model(bundle, forward, note)


def swapped(model: Model, order: Load) -> Model:
    """Another version of the base that is loaded, from files that are the approved ones; `model` answers no more.

    Raises:
        ModelFault: they are not; or it has another base.
    """
    return Model(as_version(model.bundle, _approved(order)), model.forward, model.note)


def _approved(order: Load) -> Path:
    folder = Path(order.folder).resolve()
    if (found := digest(folder)) != order.digest:
        raise ModelFault(f"bundle {folder.name} has digest {found[:12]}…, approved is {order.digest[:12]}…")
    return folder


def _next(channel: socket.socket) -> Message | None:
    try:
        return receive(channel)
    except (EOFError, ConnectionError):
        return None


if __name__ == "__main__":
    main()
