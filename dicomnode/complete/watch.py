"""The watch over studies that are still arriving: which of them go on now, and why."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from dicomnode.complete.ready import Ready, Waiting, count_due, counts_agree, is_half_here, readiness, settled
from dicomnode.config.tables import Complete
from dicomnode.index.database import Index
from dicomnode.index.studies import received_counts
from dicomnode.index.waiting import mark_settled, own_series_uids, waiting_studies

Counts = Mapping[str, int] | None
"""Instances by series UID at the PACS; None where it cannot tell."""

Count = Callable[[str], Counts]
"""Asks the PACS for the counts of a study UID; may take seconds."""

Needed = Callable[[int], frozenset[str] | None]
"""Series UIDs that a study's routes need, by study key; None for all."""

ASK_AGAIN_S = 1.0
"""Shortest time between two queries for one study whose counts differ."""
ASK_SELDOM_S = 30.0
"""The same once the study is quiet, and waits for the rest of a series."""
PATIENCE_S = 30.0
"""A quiet study waits no longer for an answer."""
ASK_AFTER_S = 0.2
"""The sender is left alone for so long after the last instance."""


class Watch:
    """Looks at the index at each tick; queries to the PACS run beside it and never hold it up."""

    def __init__(
        self, index: Index, settings: Complete, *, count: Count, needed: Needed, told: Callable[[], None] = lambda: None
    ) -> None:
        """A watch over an index.

        Args:
            index: what has arrived.
            settings: when it is complete.
            count: asks the PACS.
            needed: what a study's routes need.
            told: called when the PACS has answered: a tick would take a study further.
        """
        self._index, self._settings, self._count, self._needed, self._told = index, settings, count, needed, told
        self._pool = ThreadPoolExecutor(4, "count")
        self._asked: dict[int, Future[Counts]] = {}
        self._asked_s: dict[int, float] = {}
        self._half: dict[int, float] = {}
        """Studies of which the PACS holds more of a series than we do, and when they had last grown then."""

    def tick(self, now_s: float) -> list[tuple[int, Ready]]:
        """Study keys that go on now, with the reason."""
        with self._index.snapshot() as session:
            studies = waiting_studies(session)
        self._forget({study.study_key for study in studies})
        looked = [(study.study_key, self._look(study, now_s)) for study in studies]
        return [(key, ready) for key, ready in looked if ready is not Ready.WAIT]

    def close(self) -> None:
        """Stop asking."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, study: Waiting, now_s: float) -> Ready:
        ready = readiness(study, self._settings, now_s)
        is_half = self._half.get(study.study_key) == study.last_received_s
        if ready is Ready.CAP or (ready is Ready.QUIET and self._is_weighed(study, now_s) and not is_half):
            return ready
        answer = self._asked.get(study.study_key)
        if answer is None:
            self._ask(study, now_s, ASK_SELDOM_S if ready is Ready.QUIET else ASK_AGAIN_S)
            return Ready.WAIT
        if not answer.done():
            return Ready.WAIT
        del self._asked[study.study_key]
        return self._weigh(study, answer.result(), now_s)

    def _is_weighed(self, study: Waiting, now_s: float) -> bool:
        """Whether this process asked after the last instance, and heard: one that starts anew knows nothing."""
        asked_s, answer = self._asked_s.get(study.study_key, 0.0), self._asked.get(study.study_key)
        is_heard = answer is None or (not answer.done() and now_s - asked_s >= PATIENCE_S)
        return asked_s > study.last_received_s and is_heard

    def _ask(self, study: Waiting, now_s: float, again_s: float) -> None:
        asked_s = self._asked_s.get(study.study_key, 0.0)
        rested = now_s - asked_s >= again_s or settled(study) or asked_s < study.last_received_s
        if rested and now_s - study.last_received_s >= ASK_AFTER_S and count_due(study, self._settings, now_s):
            self._asked_s[study.study_key] = now_s
            answer = self._asked[study.study_key] = self._pool.submit(self._count, study.study_uid)
            answer.add_done_callback(lambda _: self._told())

    def _weigh(self, study: Waiting, there: Counts, now_s: float) -> Ready:
        if there is None or self._asked_s[study.study_key] <= study.last_received_s:
            return Ready.WAIT
        agree, is_half = self._compared(study, there)
        if is_half:
            self._half[study.study_key] = study.last_received_s
        else:
            self._half.pop(study.study_key, None)
        if agree and settled(study):
            return Ready.COUNTED
        if agree or study.settled_s is not None:
            with self._index.transaction() as session:
                mark_settled(session, study, now_s if agree else None)
        return Ready.WAIT

    def _compared(self, study: Waiting, there: Mapping[str, int]) -> tuple[bool, bool]:
        """Whether the counts agree, and whether the PACS holds more of a series that we have begun to receive."""
        needed = self._needed(study.study_key)
        with self._index.snapshot() as session:
            own = own_series_uids(session, study.study_uid)
            here = received_counts(session, study.study_key)
        images = {uid: n for uid, n in there.items() if uid not in own}
        return counts_agree(here, images, needed), is_half_here(here, images, needed)

    def _forget(self, waiting: set[int]) -> None:
        for key in set(self._asked_s) - waiting:
            self._asked_s.pop(key)
            self._asked.pop(key, None)
            self._half.pop(key, None)
