"""Regular duties of the engine: APScheduler says when, a durable workflow does them."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import select

from dicomnode import durable
from dicomnode.archive.retention import retire
from dicomnode.choose.catch_up import catch_up
from dicomnode.choose.prior import fetch_prior
from dicomnode.config.tables import Config
from dicomnode.durable import Queue
from dicomnode.errors import NodeError
from dicomnode.handover import forget, handed_runs
from dicomnode.index.database import Index
from dicomnode.index.learning import LearnedVersionRow
from dicomnode.index.runs import has_ended_before
from dicomnode.index.schema import CommitmentDutyRow, DeliveryRow, TickRow
from dicomnode.journey import CHORES, chore_job, send_queue
from dicomnode.learn.harvest.drawings import harvest_drawing
from dicomnode.learn.queue import learn_job, workflows_of
from dicomnode.learn.schedule import Schedule
from dicomnode.learn.versions.watch import watch_versions
from dicomnode.peers.echo import echo
from dicomnode.peers.remote import remote
from dicomnode.receive.commitment import answer_duties
from dicomnode.serve.clock import watching_clock
from dicomnode.values import DeliveryStatus
from dicomnode.withdraw import withdraw

log = structlog.get_logger()

DAY_S = 86400.0
KEEP_RECORDS_S = 3 * DAY_S
OFTEN_S = 15
HOURLY_S = 3600


def start_learning(job: str) -> None:
    """Put a learning that waits on the queue, unless it is there: a workflow that found another's turn has ended."""
    if not durable.is_unfinished(workflows_of(job)):
        durable.enqueue(learn_job(job, time.time()))


class Duties:
    """What must be done now and then; each tick is enqueued once, under an id that names its moment."""

    def __init__(self, config: Config, index: Index, ask_commitment: Callable[[str], None]) -> None:
        self._config, self._index, self._ask_commitment = config, index, ask_commitment
        self.by_name: dict[str, Callable[[str], None]] = {
            "catch_up": self._catch_up,
            "retention": self._retention,
            "withdraw": lambda run_key: withdraw(index, config, run_key),
            "prior": lambda study_key: fetch_prior(index, config, int(study_key)),
            "drawing": lambda moment: harvest_drawing(index, config, moment),
            "reports": self._reports,
            "drift": self._look_at_drift,
            "versions": lambda _: watch_versions(index, config, time.time()),
            **{f"commitment:{name}": partial(self._commitment, name) for name in config.peers},
        }
        self._retiring = threading.Lock()
        self._was_away: dict[str, bool] = {}
        self._learning = Schedule(config, index, start_learning)

    @contextmanager
    def scheduled(self) -> Iterator[None]:
        """Tick until the block ends; a nightly tick that was missed is made up for at the start."""
        scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1})  # in local time
        self._plan(scheduler)
        scheduler.start()
        if self._last_s("nightly") < time.time() - DAY_S - HOURLY_S:
            self._nightly()
        if self._last_s("drift") < time.time() - DAY_S - HOURLY_S:
            self._drift()
        try:
            with watching_clock(lambda: self._plan(scheduler)):
                yield
        finally:
            scheduler.shutdown(wait=False)

    def _plan(self, scheduler: BackgroundScheduler) -> None:
        hour, minute = self._config.catch_up.nightly_at.split(":")
        nightly, hourly, often = (
            CronTrigger(hour=hour, minute=minute), IntervalTrigger(seconds=HOURLY_S), IntervalTrigger(seconds=OFTEN_S)
        )  # fmt: skip
        scheduler.add_job(self._nightly, nightly, id="nightly", replace_existing=True)
        scheduler.add_job(self._hourly, hourly, id="hourly", replace_existing=True)
        scheduler.add_job(self._often, often, id="often", replace_existing=True)
        self._learning.add_to(scheduler)
        hour, minute = self._config.learn.watch.daily_at.split(":")
        scheduler.add_job(self._drift, CronTrigger(hour=hour, minute=minute), id="drift", replace_existing=True)

    def _nightly(self) -> None:
        day = datetime.now().strftime("%Y%m%d")
        if self._config.catch_up.enabled:
            durable.enqueue(chore_job("catch_up", day))
        durable.enqueue(chore_job("retention", day))
        with self._index.transaction() as session:
            session.merge(TickRow(job="nightly", last_s=time.time()))

    def _drift(self) -> None:
        durable.enqueue(chore_job("drift", datetime.now().strftime("%Y%m%d")))
        with self._index.transaction() as session:
            session.merge(TickRow(job="drift", last_s=time.time()))

    def _hourly(self) -> None:
        durable.enqueue(chore_job("retention", datetime.now().strftime("%Y%m%d%H")))

    def _often(self) -> None:
        """Reports we owe, requests nobody answered, and destinations that are back; one at a time for each peer.

        A peer that never answers would otherwise have more duties than it can be tried for, and hold up the others.
        """
        self._learning.start_waiting()
        if self._owes_reports():
            self._once("reports", CHORES)
        if self._has_versions():
            self._once("versions", CHORES)
        for name in self._config.peers:
            if self._waits_for(name):
                self._once(f"commitment:{name}", send_queue(name))

    def _once(self, name: str, queue: Queue) -> None:
        if not durable.is_unfinished(f"chore:{name}:"):
            moment = f"{int(time.time() / OFTEN_S)}.{secrets.token_hex(4)}"  # new also after the clock was set back
            durable.enqueue(chore_job(name, moment, queue))

    def _catch_up(self, day: str) -> None:
        since = datetime.strptime(day, "%Y%m%d") - timedelta(days=self._config.catch_up.days)
        for source in self._config.sources:
            try:
                catch_up(self._index, self._config, source, since)
            except NodeError as fault:  # the next source is asked all the same; tomorrow's look goes back over today
                log.error("catch_up.failed", peer=source, reason=str(fault))

    def _retention(self, _: str) -> None:
        with self._retiring:  # the nightly one may meet the hourly one
            retire(self._index, self._config, time.time())
            self._forget_handovers()
            durable.purge(time.time() - KEEP_RECORDS_S)

    def _forget_handovers(self) -> None:
        """One at a time: a run that ended may be retried while the others are looked at."""
        state = self._config.node.state
        for run_key in handed_runs(state):
            with self._index.transaction() as session:
                if has_ended_before(session, run_key, time.time() - DAY_S):
                    forget(state, run_key)

    def _look_at_drift(self, _: str) -> None:
        from dicomnode.learn.watch.daily import watch_drift  # slow to import, and needed once a day

        log.info("drift.done", alarms=watch_drift(self._index, self._config))

    def _reports(self, _: str) -> None:
        answer_duties(self._index, self._config)

    def _commitment(self, name: str, _: str) -> None:
        self._ask_commitment(name)
        if durable.delayed(f"deliver:{name}:") and self.came_back(name):
            durable.retry_now(f"deliver:{name}:")

    def came_back(self, name: str) -> bool:
        """Whether a peer answers now and did not when last asked; one that is merely busy is left to the back-off."""
        try:
            echo(remote(self._config, name))
            is_away = False
        except NodeError:
            is_away = True
        was_away, self._was_away[name] = self._was_away.get(name, True), is_away
        return was_away and not is_away

    def _owes_reports(self) -> bool:
        with self._index.snapshot() as session:
            query = select(CommitmentDutyRow).where(CommitmentDutyRow.answered_s.is_(None))
            return session.scalar(query.limit(1)) is not None

    def _has_versions(self) -> bool:
        with self._index.snapshot() as session:
            return session.scalar(select(LearnedVersionRow.digest).limit(1)) is not None

    def _waits_for(self, name: str) -> bool:
        with self._index.snapshot() as session:
            sent = DeliveryRow.status == DeliveryStatus.SENT
            query = select(DeliveryRow).where(DeliveryRow.destination == name, sent)
            waits = session.scalar(query.limit(1)) is not None
        return waits or bool(durable.delayed(f"deliver:{name}:"))

    def _last_s(self, job: str) -> float:
        with self._index.snapshot() as session:
            row = session.get(TickRow, job)
            return row.last_s if row else 0.0
