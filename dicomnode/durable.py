"""Durable work on DBOS Transact: the one module that imports dbos.

A workflow is a function of identifiers whose steps are recorded as they finish; after a crash it
goes on behind the last one. Nothing but UIDs, names, numbers and short texts is recorded, as JSON.
"""

import fcntl
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import structlog
from dbos import DBOS, DBOSClient
from dbos._error import DBOSMaxStepRetriesExceeded
from dbos._serialization import DBOSPortableJSON
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from dicomnode.errors import ConfigFault, DiskReserve, Permanent, Transient
from dicomnode.full_disk import is_full
from dicomnode.logs import places

FLOW_VERSION = "1"
"""Counted up when workflows in flight can no longer be continued by this code."""
POLL_S = 0.05
TRANSIENT = "Transient"
"""Family of what may pass by itself."""
TRIES = 6
"""Of a step that is Transient: for about two minutes, with a wait three times longer each time."""
ROOM_AGAIN_S = 5.0
"""Between two looks whether a full disk has room again."""
PASSING = (OperationalError, InterfaceError, IntegrityError, TimeoutError)
"""Of a database, what a later try mostly finds gone: locked, restarted, or a key that two wrote at once."""
CONNECTIONS = 20
log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")


class IndexAway(Transient):
    """A database did not take or give what it was asked: busy, restarting, or another was first."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(f"a database could not be read or written ({type(fault).__name__})")


class Refused(Permanent):
    """A step failed for good; family and reason survive a restart."""

    def __init__(self, family: str, reason: str) -> None:
        super().__init__(reason)
        self.family = family
        """Name of the class below Permanent ("SeriesRefused"), or "Transient" where patience ended."""


@dataclass(frozen=True)
class Queue:
    """One queue and how many of its workflows run at once in one process."""

    name: str
    at_once: int
    poll_s: float = POLL_S
    """Time between two looks at it; each costs a millisecond or two of the process."""


@dataclass(frozen=True)
class Job:
    """One workflow to be done once: the second enqueue of an id changes nothing."""

    workflow: str
    queue: str
    id: str
    arguments: tuple[str | int, ...]
    priority: int
    """Lower first; at least 1."""
    delay_s: float = 0.0


def workflow(*, name: str, crashes: int = 1000) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Register a function as a durable workflow; given up after it has killed its process `crashes` times."""
    return DBOS.workflow(name=name, max_recovery_attempts=crashes - 1)  # dbos does not count the first start


def step(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do one recorded step: done once, or retried with back-off while it is Transient; a full disk is waited for.

    Raises:
        Refused: the step was Permanent, or Transient TRIES times.
    """

    def settled() -> Any:  # noqa: ANN401 - whatever the step gives, as JSON
        try:
            return {"given": _told(lambda: function(*args, **kwargs), _name(function))}
        except Permanent as fault:
            return {"family": family(fault), "reason": str(fault)}

    options: Any = {
        "name": _name(function),
        "retries_allowed": True,
        "interval_seconds": 1.0,
        "max_attempts": TRIES,
        "backoff_rate": 3.0,
        "should_retry": lambda fault: isinstance(fault, Transient),
    }
    try:
        outcome = DBOS.run_step(options, settled)
    except DBOSMaxStepRetriesExceeded as fault:
        raise Refused(TRANSIENT, f"gave up after {TRIES} tries: {fault.errors[-1]}") from fault
    given: T = _given(outcome)
    return given


def attempt(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do one recorded step without trying it again: its place on the queue goes to others meanwhile.

    Raises:
        Refused: the step was Permanent or Transient.
    """

    def settled() -> Any:  # noqa: ANN401 - whatever the step gives, as JSON
        try:
            return {"given": _told(lambda: function(*args, **kwargs), _name(function))}
        except Permanent as fault:
            return {"family": family(fault), "reason": str(fault)}
        except Transient as fault:
            return {"family": TRANSIENT, "reason": str(fault)}

    given: T = _given(DBOS.run_step({"name": _name(function)}, settled))
    return given


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", "step"))


def _given(outcome: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the step gave, as JSON
    if "reason" in outcome:
        raise Refused(str(outcome["family"]), str(outcome["reason"]))
    return outcome["given"]


def _told(function: Callable[[], T], name: str) -> T:
    """What a function gives; a fault that nobody foresaw is logged where it happens: no record keeps its place."""
    try:
        return _with_room(function)
    except (Permanent, Transient):
        raise
    except PASSING as fault:
        log.warning("step.no_database", step=name, fault=type(fault).__name__)
        raise IndexAway(fault) from fault
    except Exception as fault:
        log.error("step.unforeseen", step=name, fault=type(fault).__name__, at=places(fault))
        raise


def _with_room(function: Callable[[], T]) -> T:
    """What a function gives; while the disk is full it is done again and again, since that is no fault of a run."""
    while True:
        try:
            return function()
        except (OSError, DBAPIError, DiskReserve) as fault:
            if not isinstance(fault, DiskReserve) and not is_full(fault):
                raise
            log.error("disk.full", fix="make room on the disk of the state folder: the work goes on by itself")
            time.sleep(ROOM_AGAIN_S)


def family(fault: Permanent) -> str:
    """Which branch of the error tree a fault belongs to."""
    return next(kind.__name__ for kind in type(fault).__mro__ if Permanent in kind.__bases__ or kind is Permanent)


def enqueue(job: Job) -> None:
    """Put a job on its queue, from within an executor's process."""
    DBOS.enqueue_workflow_with_options(_options(job), *job.arguments)


def result_of(job: Job) -> Any:  # noqa: ANN401 - JSON of the other workflow
    """Enqueue a job from within a workflow and wait for what it gives.

    Raises:
        Exception: whatever ended the other workflow, or that it was given up.
    """
    handle = DBOS.enqueue_workflow_with_options(_options(job), *job.arguments)
    return handle.get_result(polling_interval_sec=2 * POLL_S)


def delayed(prefix: str) -> list[str]:
    """Ids of delayed workflows that begin so."""
    found = DBOS.list_workflows(status="DELAYED", workflow_id_prefix=prefix, load_input=False, load_output=False)
    return [waiting.workflow_id for waiting in found]


def is_unfinished(prefix: str) -> bool:
    """Whether a workflow whose id begins so waits or runs."""
    status = ["ENQUEUED", "DELAYED", "PENDING"]
    options: Any = {"load_input": False, "load_output": False, "limit": 1}
    return bool(DBOS.list_workflows(status=status, workflow_id_prefix=prefix, **options))


def retry_now(prefix: str) -> None:
    """Wake delayed workflows whose id begins so."""
    for workflow_id in delayed(prefix):
        DBOS.set_workflow_delay(workflow_id, delay_seconds=0)


def purge(before_s: float) -> int:
    """Delete the records of workflows that ended before a time; how many."""
    before_ms = int(before_s * 1000)
    old = DBOS.list_workflows(status=["SUCCESS", "ERROR", "CANCELLED"], load_input=False, load_output=False, limit=5000)
    ids = [w.workflow_id for w in old if (w.updated_at or 0) < before_ms]
    DBOS.delete_workflows(ids)
    return len(ids)


def set_at_once(queue: str, at_once: int) -> None:
    """Change how many workflows of a queue run at once; 0 pauses it."""
    found = DBOS.retrieve_queue(queue)
    if found is not None:
        found.set_worker_concurrency(at_once)


@contextmanager
def executor(url: str, state: Path, name: str, queues: Sequence[Queue], known: Sequence[Queue]) -> Iterator[None]:
    """Run the workflows of some queues in this process until the block ends.

    Args:
        url: database of the workflow engine.
        state: folder of the lock that keeps a second process of this name out.
        name: of this executor; its unfinished work is taken up again.
        queues: the ones this process works on.
        known: every queue of the node.

    Raises:
        ConfigFault: another process of this name is running.
    """
    with _only_one(state, name):
        _use_wal(url)
        DBOS(
            config={
                "name": "dicomnode",
                "system_database_url": url,
                "system_database_engine": _sqlite_engine(url) if url.startswith("sqlite") else None,
                "executor_id": name,
                "application_version": FLOW_VERSION,
                "serializer": DBOSPortableJSON,
                "log_level": "ERROR",
            }
        )
        DBOS.listen_queues([queue.name for queue in queues])
        DBOS.launch()
        for queue in known:
            DBOS.register_queue(
                queue.name,
                worker_concurrency=queue.at_once,
                polling_interval_sec=queue.poll_s,
                on_conflict="always_update" if queue in queues else "never_update",
            )
        try:
            yield
        finally:
            DBOS.destroy(workflow_completion_timeout_sec=0)


def leave() -> NoReturn:
    """End this executor's process at once; what is unfinished goes on at its next start.

    A gentler end would take the database away from under running workflows, and they would fail first.
    """
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


@dataclass(frozen=True)
class Waiting:
    """How much is unfinished on one queue."""

    queue: str
    status: str
    count: int


def waiting(url: str) -> list[Waiting]:
    """What is queued, delayed or running, by queue; empty before the engine first ran."""
    database = make_url(url).database
    if url.startswith("sqlite") and not (database and Path(database).exists()):
        return []
    client = DBOSClient(system_database_url=url, serializer=DBOSPortableJSON)
    try:
        found = client.list_workflows(
            status=["ENQUEUED", "DELAYED", "PENDING"], load_input=False, load_output=False, limit=100_000
        )
        pairs = [(str(w.queue_name), str(w.status)) for w in found]
        return [Waiting(queue, status, pairs.count((queue, status))) for queue, status in sorted(set(pairs))]
    finally:
        client.destroy()


def _options(job: Job) -> Any:  # noqa: ANN401 - a TypedDict of dbos
    options: dict[str, Any] = {
        "workflow_name": job.workflow,
        "queue_name": job.queue,
        "workflow_id": job.id,
        "priority": job.priority,
        "app_version": FLOW_VERSION,
    }
    return options | ({"delay_seconds": job.delay_s} if job.delay_s > 0 else {})


@contextmanager
def _only_one(state: Path, name: str) -> Iterator[None]:
    folder = state / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise ConfigFault(f"another {name} process already works on {state}: stop it first") from fault
        yield


def _use_wal(url: str) -> None:
    if not url.startswith("sqlite"):
        return
    database = make_url(url).database or ""
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(database, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _sqlite_engine(url: str) -> Engine:
    """A database that waits while its disk is full, as dbos lets a PostgreSQL server that is away be waited for."""
    engine = create_engine(url, pool_size=CONNECTIONS, max_overflow=0)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "handle_error", _on_error)
    return engine


def _on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = "IMMEDIATE"  # writers queue up, none loses a race
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_error(context: ExceptionContext) -> None:
    """Say "try later" for a full disk: the one failure of this kind that dbos does again without an end."""
    if is_full(context.original_exception):
        log.error("disk.full", fix="make room on the disk of the engine's database: the work goes on by itself")
        raise TimeoutError("the disk of the engine's database is full") from context.original_exception
