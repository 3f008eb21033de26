"""The process of one job of learning: modest, alone with the bundle's code, and with no secret of the node.

Started by `apart`, never by a person. It writes into its job's folder, and items where its order says so.
"""

import contextlib
import ctypes
import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from dicomnode import errors
from dicomnode.bundles.digest import digest
from dicomnode.errors import DiskReserve, ModelFault, NodeError
from dicomnode.learn.job import DONE, FAULT, PROGRESS, AnyOrder, read_order, write
from dicomnode.learn.orders import TrainOrder

PR_SET_PDEATHSIG = 1
FIRST_TO_GO = "900"
"""Where the machine runs out of memory: before the processes of the models (500), long before those that receive."""
IDLE_NICE, BESIDE_NICE = 19, 10
SAY_S = 0.5
"""Between two words about progress."""
WEEKS_S = 4 * 7 * 24 * 3600
"""For so long training may be paused between two of its ranks' words to one another."""

WORK = {
    "prepare": ("dicomnode.learn.sets.prepare", "prepare"),
    "train": ("dicomnode.learn.train.fit", "train"),
    "answer": ("dicomnode.learn.evaluate.answer", "answer"),
    "gallery": ("dicomnode.learn.paper.gallery", "gallery"),
}
"""Module and function of each kind of order; imported late, since they take torch along."""


def main() -> None:
    """`python -m dicomnode.learn.child FOLDER PARENT [idle]`: the job's folder, process id of who started this."""
    folder, parent = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    be_modest(idle="idle" in sys.argv[3:])
    die_with(parent)
    order = read_order(folder)
    if isinstance(order, TrainOrder) and order.processes > 1 and "RANK" not in os.environ:
        start_ranks(folder, order)
        return
    with faults_told(folder):
        done = worked(order, folder)
        if is_first():
            write(folder / DONE, done)


def be_modest(*, idle: bool) -> None:
    """Let everybody else go first, on the processor and on the disk (sched(7), ioprio_set(2)).

    Before torch is imported, since its threads inherit it.

    Args:
        idle: take only what nobody else wants; otherwise a little beside others.
    """
    with contextlib.suppress(OSError):
        os.nice(max(0, (IDLE_NICE if idle else BESIDE_NICE) - os.nice(0)))
        os.sched_setscheduler(0, os.SCHED_IDLE if idle else os.SCHED_BATCH, os.sched_param(0))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the one that started it ends (prctl(2)); at once if it already has."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("who started this is gone")


def start_ranks(folder: Path, order: TrainOrder) -> None:
    """Have torchrun start this module once for each rank. They meet in a file: nothing listens but on loopback."""
    from torch.distributed.run import main as torchrun

    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # it would listen on every address
    meeting = Path(os.environ["TMPDIR"]) / "torchrun"
    patience = f"store_type=file,keep_alive_interval={WEEKS_S},timeout={WEEKS_S}"
    torchrun([
        "--nnodes=1", f"--nproc-per-node={order.processes}", "--max-restarts=0", "--local-addr=127.0.0.1",
        "--rdzv-backend=c10d", f"--rdzv-endpoint={meeting}", "--rdzv-id=dicomnode", f"--rdzv-conf={patience}",
        "-m", "dicomnode.learn.child", str(folder), str(os.getpid()), *sys.argv[3:],
    ])  # fmt: skip


def is_first() -> bool:
    """Whether this process writes: the only one, or rank 0."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def faults_told(folder: Path) -> Iterator[None]:
    """Write what goes wrong into the folder, under the name of its leaf in `errors`."""
    try:
        yield
    except Exception as fault:  # a bundle's code may raise anything; this parks its job
        named = _named(fault)
        if not (folder / FAULT).exists():  # of several ranks the first, whose end is why the others fail
            write(folder / FAULT, {"name": _leaf(named), "words": str(named)})
        raise SystemExit(1) from fault


def worked(order: AnyOrder, folder: Path) -> dict[str, object]:
    """What came of an order.

    Raises:
        ModelFault: the bundle's files are not those that were approved.
        NodeError: as the work says.
    """
    if (found := digest(order.bundle)) != order.digest:
        raise ModelFault(f"bundle {order.bundle.name} has digest {found[:12]}…, ordered is {order.digest[:12]}…")
    _leave_memory(order)
    module, function = WORK[order.kind]
    import_module("dicomnode.infer.monai_alone")  # before what imports MONAI
    done: dict[str, object] = getattr(import_module(module), function)(order, folder, _Saying(folder / PROGRESS))
    return done


def _leave_memory(order: AnyOrder) -> None:
    """Leave accelerator memory to others: what a paused process holds, it holds."""
    if order.device == "cpu":
        return
    import torch

    for device in range(torch.cuda.device_count()):
        torch.cuda.set_per_process_memory_fraction(order.memory_share, device)


class _Saying:
    """Writes progress, twice a second at most; a new stage at once."""

    def __init__(self, path: Path) -> None:
        self._path, self._said_s, self._stage = path, 0.0, object()

    def __call__(self, told: dict[str, object]) -> None:
        now_s, stage = time.monotonic(), told.get("stage")
        if not is_first() or (stage == self._stage and now_s - self._said_s < SAY_S):
            return
        self._said_s, self._stage = now_s, stage
        write(self._path, told, durable=False)


def _named(fault: Exception) -> NodeError:
    if isinstance(fault, NodeError):
        return fault
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskReserve(f"the disk is full: {fault}")
    from dicomnode.infer.child import named

    return named(fault)


def _leaf(fault: NodeError) -> str:
    return next(kind.__name__ for kind in type(fault).__mro__ if kind.__module__ == errors.__name__)


if __name__ == "__main__":
    main()
