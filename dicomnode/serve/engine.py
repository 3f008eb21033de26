"""The engine process: completeness, runs, deliveries and regular duties. It never imports torch."""

import gc
import threading
import time
from collections.abc import Callable, Sequence, Set

import structlog
from sqlalchemy.exc import DBAPIError

from dicomnode import durable
from dicomnode.audit import AuditTrail
from dicomnode.choose.routes import matching_routes, needed_series
from dicomnode.complete.ready import Ready
from dicomnode.complete.rejections import read_key_objects
from dicomnode.complete.watch import Counts, Watch
from dicomnode.config.tables import Config
from dicomnode.decide import decide
from dicomnode.deliver.status import close_runs
from dicomnode.durable import POLL_S, Queue
from dicomnode.errors import NodeError
from dicomnode.full_disk import is_full
from dicomnode.index.database import Index
from dicomnode.index.priors import priors_to_seek
from dicomnode.index.runs import deliveries_to_start, paused_scopes, runs_to_start
from dicomnode.index.studies import load_study
from dicomnode.index.withdrawals import runs_to_withdraw
from dicomnode.journey import (
    AT_ONCE,
    CHORES,
    GPU,
    GPU_STAT,
    SELDOM_S,
    SENDING_AT_ONCE,
    SHADOW,
    chore_job,
    delivery_job,
    journey_job,
    model_queue,
    register,
    send_queue,
    stat_queue,
)
from dicomnode.learn.harvest.drawings import drawings_to_read
from dicomnode.learn.harvest.objects import Waiting
from dicomnode.learn.harvest.tick import harvest
from dicomnode.learn.queue import LEARN
from dicomnode.peers.query import series_counts
from dicomnode.peers.remote import remote
from dicomnode.serve.beats import Heart
from dicomnode.serve.duties import Duties
from dicomnode.serve.queries import Queries
from dicomnode.stages import Stages
from dicomnode.values import QUEUE_PRIORITY, Priority

log = structlog.get_logger()

TICK_S = 0.1
SLOW_TICK_S = 1.0
LOOK_BACK_S = 600.0
"""Clocks of receivers and engine differ by less."""
NO_ROOM = "the disk is full: waits for room"


def known_queues(config: Config) -> tuple[Queue, ...]:
    """Every queue of the node."""
    return (GPU, GPU_STAT, LEARN, *engine_queues(config))


def engine_queues(config: Config) -> tuple[Queue, ...]:
    """The queues that the engine works on."""
    models = sorted(folder.parent.name for folder in config.infer.folder.glob("*/dicom.toml"))
    routed = {name for route in config.routes for name in route.models}
    poll_s = {name: POLL_S if name in routed else SELDOM_S for name in models}
    ordinary = [model_queue(name, config.model(name).at_once or AT_ONCE, poll_s[name]) for name in models]
    stat = [stat_queue(name, 2 * poll_s[name]) for name in models]
    return (CHORES, SHADOW, *ordinary, *stat, *map(send_queue, config.peers))


def run_engine(config: Config, index: Index, stop: threading.Event) -> None:
    """Work until told to stop; whatever is unfinished goes on at the next start."""
    look = threading.Event()
    stages = Stages(config, index, told=look.set)
    duties = Duties(config, index, stages.ask_commitment)
    stages.chores.update(duties.by_name)
    register(stages)
    mine, known = engine_queues(config), known_queues(config)
    with durable.executor(config.engine_url, config.node.state, "engine", mine, known):
        engine = Engine(config, index, told=look.set)
        with Heart(index, "engine") as heart, duties.scheduled():
            note = f"{len(config.routes)} route(s), {len(config.peers)} peer(s)"
            heart.ready(note)
            leave_out_of_collections()
            while not stop.is_set():
                look.wait(TICK_S)
                look.clear()
                has_room = looked(engine)
                heart.say(note if has_room else NO_ROOM)
                stop.wait(0.0 if has_room else durable.ROOM_AGAIN_S)
        durable.leave()


def looked(engine: "Engine") -> bool:
    """Have the engine look at everything once; False where the disk is full, which it outlives."""
    try:
        engine.tick(time.time())
    except DBAPIError as fault:
        if not is_full(fault):
            raise
        log.error("disk.full", fix="make room on the disk of the index: the work goes on by itself")
        return False
    return True


def leave_out_of_collections() -> None:
    """Let the garbage collector pass over what was loaded at the start: a full sweep costs a report 0.2 s."""
    gc.collect()
    gc.freeze()


class Engine:
    """What the engine looks at, again and again. The index says what is wanted, dbos what is under way."""

    def __init__(self, config: Config, index: Index, *, told: Callable[[], None] = lambda: None) -> None:
        """An engine; `told` is called when something is worth a look before the next tick."""
        self._config, self._index = config, index
        self._watch = Watch(index, config.complete, count=self._counts, needed=self._needed, told=told)
        kinds = ("runs", "deliveries", "priors", "withdrawals", "drawings")
        self._started: dict[str, set[str]] = {kind: set() for kind in kinds}
        """Ids enqueued by this process; a second enqueue would change nothing, this only saves it."""
        self._still_missing: dict[int, float] = {}
        self._at_once: dict[str, int] = {}
        self._queries = Queries(AuditTrail.of(config))
        self._slow_s = 0.0
        self._changed_since_s = 0.0
        """Studies that changed before were looked at for withdrawn images."""

    def tick(self, now_s: float) -> None:
        """One look at everything."""
        for study_key, ready in self._watch.tick(now_s):
            self._decide(study_key, ready, now_s)
        self._start_runs()
        self._start_deliveries()
        if now_s - self._slow_s >= SLOW_TICK_S:
            self._slow_s = now_s
            self._apply_pauses()
            self._seek_priors()
            self._take_back(now_s)
            close_runs(self._index)

    def _decide(self, study_key: int, ready: Ready, now_s: float) -> None:
        patience_s = SLOW_TICK_S if ready is not Ready.CAP else 0.0
        if now_s - self._still_missing.get(study_key, 0.0) >= patience_s:
            if decide(self._index, self._config, study_key, ready):
                self._still_missing.pop(study_key, None)
            else:
                self._still_missing[study_key] = now_s

    def _start_runs(self) -> None:
        with self._index.snapshot() as session:
            paused = paused_scopes(session)
            jobs = [
                journey_job(row.run_key, row.attempt, Priority(row.priority), row.model, shadow=row.shadow)
                for row in runs_to_start(session)
                if not {"all", f"model:{row.model}"} & paused
            ]
        self._enqueue("runs", jobs)

    def _start_deliveries(self) -> None:
        with self._index.snapshot() as session:
            rows = [(row, p) for row, p in deliveries_to_start(session) if row.destination in self._config.peers]
        jobs, tried = [], set[str]()
        for row, priority in rows:
            since_ms, rank = int(row.queued_s * 1000), QUEUE_PRIORITY[Priority(priority)]
            jobs.append(delivery_job(row.sop_instance_uid, row.destination, since_ms, rank=rank))
            tried |= {jobs[-1].id} if row.attempts else set()
        self._enqueue("deliveries", jobs, tried)

    def _seek_priors(self) -> None:
        with self._index.snapshot() as session:
            jobs = [chore_job("prior", str(study_key)) for study_key in priors_to_seek(session)]
        self._enqueue("priors", jobs)

    def _take_back(self, now_s: float) -> None:
        """What readers say of our findings is noted; what the PACS rejects goes, and with it what was made of it."""
        harvest(self._index, self._config, self._changed_since_s)
        self._enqueue("drawings", [chore_job("drawing", one.moment) for one in self._drawings()])
        read_key_objects(self._index, self._config.node.state, self._changed_since_s)
        with self._index.snapshot() as session:
            jobs = [chore_job("withdraw", run_key) for run_key in runs_to_withdraw(session, self._changed_since_s)]
        self._enqueue("withdrawals", jobs)
        self._changed_since_s = now_s - LOOK_BACK_S

    def _drawings(self) -> Sequence[Waiting]:
        with self._index.snapshot() as session:
            return drawings_to_read(session, self._config, self._changed_since_s)

    def _enqueue(self, kind: str, jobs: Sequence[durable.Job], tried: Set[str] = frozenset()) -> None:
        """Enqueue what this process has not; of `tried` ones a later attempt may wait, and the first be long purged."""
        for job in jobs:
            if job.id in self._started[kind]:
                continue
            if job.id not in tried or not durable.is_unfinished(job.id.removesuffix("0")):
                durable.enqueue(job)
        self._started[kind] = {job.id for job in jobs}

    def _apply_pauses(self) -> None:
        with self._index.snapshot() as session:
            paused = paused_scopes(session)
        for name in self._config.peers:
            at_once = 0 if {"all", f"destination:{name}"} & paused else SENDING_AT_ONCE
            if self._at_once.get(name) != at_once:
                durable.set_at_once(send_queue(name).name, at_once)
                self._at_once[name] = at_once

    def _counts(self, study_uid: str) -> Counts:
        for source in self._config.sources:
            there = remote(self._config, source)
            self._queries.tell(there, study_uid, time.time())
            try:
                counts = series_counts(there, study_uid)
            except NodeError as fault:
                log.info("complete.uncounted", peer=source, reason=str(fault))
                continue
            if counts:
                return counts
        return None

    def _needed(self, study_key: int) -> frozenset[str] | None:
        with self._index.snapshot() as session:
            study = load_study(session, self._config.node.state, study_key)
        return needed_series(study, matching_routes(study, self._config.routes))
