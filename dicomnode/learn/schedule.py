"""When a candidate is made: APScheduler wakes, the index knows what came due, a durable workflow does the work."""

import time
from collections.abc import Callable, Collection
from datetime import datetime, tzinfo

import structlog
from apscheduler.schedulers.base import BaseScheduler
from sqlalchemy import select

from dicomnode.config.tables import Config
from dicomnode.errors import ConfigFault
from dicomnode.index.database import Index
from dicomnode.index.learning import LearningRow
from dicomnode.index.schema import TickRow
from dicomnode.learn.asking import UNDER_WAY, Asked, Overlap, Trigger, ask, refuse
from dicomnode.learn.cron import DAY_S, cron, last_due, next_due
from dicomnode.learn.triggers import learning_models, new_labels, scopes_to_learn, trigger_of

log = structlog.get_logger()

MONTHLY, NIGHTLY = "learn.monthly", "learn.nightly"


class Schedule:
    """The calendar and the nightly look at triggers. It only asks, and for one moment once, however often it comes."""

    def __init__(
        self,
        config: Config,
        index: Index,
        start: Callable[[str], None],
        *,
        now_s: Callable[[], float] = time.time,
        timezone: tzinfo | None = None,
    ) -> None:
        """A schedule; `start` puts a job on the queue, once for each id."""
        self._config, self._index, self._start, self._now_s = config, index, start, now_s
        terms = {MONTHLY: config.learn.monthly, NIGHTLY: config.learn.nightly} if config.learn.enabled else {}
        self._triggers = {name: cron(said, timezone) for name, said in terms.items() if said}
        self._looks = {MONTHLY: self._by_calendar, NIGHTLY: self._by_triggers}

    def add_to(self, scheduler: BaseScheduler) -> None:
        """Have a scheduler wake this; a moment that was missed since the last tick is made up for at once, once."""
        for name, trigger in self._triggers.items():
            due = next_due(trigger, self._last_s(name))
            if due is None:
                continue  # a date that never comes
            scheduler.add_job(
                lambda name=name: self.tick(name),
                trigger,
                id=name,
                next_run_time=due,
                misfire_grace_time=None,  # however late
                coalesce=True,
                max_instances=1,
                replace_existing=True,
            )

    def tick(self, name: str) -> None:
        """Look at every model for the newest moment that came due since the last tick, if one did."""
        now_s, last_s = self._now_s(), self._last_s(name)
        due = last_due(self._triggers[name], last_s, now_s)
        if due is None:
            return  # woken twice, or the clock was set back
        log.info("learn.due", calendar=name, moment=_moment(due))
        for model in learning_models(self._config.learn):
            self._look(name, model, _moment(due))
        self._note(name, due.timestamp())
        self.start_waiting()

    def start_waiting(self) -> None:
        """Put every candidate that waits on the queue, and what is being made; what is on it already stays as it is.

        What another node makes, or a workflow that is lost, is so taken up once nobody has heard of it for long enough.
        """
        with self._index.snapshot() as session:
            rows = select(LearningRow.job).where(LearningRow.state.in_(UNDER_WAY)).order_by(LearningRow.started_s)
            jobs = session.scalars(rows).all()
        for job in jobs:
            self._start(job)

    def _look(self, name: str, model: str, moment: str) -> None:
        try:
            with self._index.snapshot() as session:
                wanted = scopes_to_learn(session, self._config.learn, model)
            for scope, studies in wanted.items():
                asked = self._looks[name](model, moment, scope, studies)
                if asked is not None:
                    self._ask(asked)
        except ConfigFault as fault:  # the split key is lost: the other duties go on
            log.error("learn.not_asked", model=model, reason=str(fault))

    def _ask(self, asked: Asked) -> None:
        try:
            with self._index.transaction() as session:
                ask(session, asked, self._now_s())
            log.info("learn.asked", job=asked.job, reason=asked.reason)
        except Overlap as fault:
            with self._index.transaction() as session:
                refuse(session, asked, str(fault), self._now_s())
            log.warning("learn.refused", job=asked.job, reason=str(fault))

    def _by_calendar(self, model: str, moment: str, scope: str, studies: Collection[int] | None) -> Asked | None:
        """A candidate from the same labels as the last would spend a look at the sealed test for nothing."""
        with self._index.transaction() as session:
            new = new_labels(session, self._config.node.state, model, scope, studies)
        if not new.patients:
            log.info("learn.nothing_new", model=model, scope=scope)
            return None
        return Asked(model, Trigger.CALENDAR, moment, f"{new} since the last candidate", scope=scope)

    def _by_triggers(self, model: str, moment: str, scope: str, studies: Collection[int] | None) -> Asked | None:
        with self._index.transaction() as session:
            found = trigger_of(session, self._config.node.state, self._config.learn, model, scope, studies)
        return Asked(model, found[0], moment, found[1], scope=scope) if found else None

    def _last_s(self, name: str) -> float:
        """When a calendar last came due; now, where it never did or the clock has gone back by more than a day."""
        now_s = self._now_s()
        with self._index.snapshot() as session:
            row = session.get(TickRow, name)
        if row is None or row.last_s > now_s + DAY_S:
            self._note(name, now_s)
            return now_s
        return row.last_s

    def _note(self, name: str, at_s: float) -> None:
        with self._index.transaction() as session:
            session.merge(TickRow(job=name, last_s=at_s))


def _moment(due: datetime) -> str:
    """By the clock on the wall: an hour that comes twice, in autumn, is one moment."""
    return due.strftime("%Y%m%dT%H%M")
