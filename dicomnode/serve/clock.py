"""A clock that is set back: whoever waits for a time of day would wait so much longer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

LOOK_S = 30.0
MATTERS_S = 60.0
"""Less is what time servers do."""


class ClockWatch:
    """Notices that the clock was set back since the last look."""

    def __init__(
        self, wall_s: Callable[[], float] = time.time, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall_s, self._monotonic_s = wall_s, monotonic_s
        self._offset_s = self._now()

    def set_back_s(self) -> float:
        """By how much; 0 where it was not."""
        before, self._offset_s = self._offset_s, self._now()
        by_s = before - self._offset_s
        return by_s if by_s > MATTERS_S else 0.0

    def _now(self) -> float:
        return self._wall_s() - self._monotonic_s()


@contextmanager
def watching_clock(plan_again: Callable[[], None]) -> Iterator[None]:
    """Have all that waits for a time planned again whenever the clock is set back, until the block ends."""
    stop, watch = threading.Event(), ClockWatch()

    def look() -> None:
        while not stop.wait(LOOK_S):
            if by_s := watch.set_back_s():
                log.warning("clock.set_back", seconds=round(by_s))
                plan_again()

    thread = threading.Thread(target=look, name="clock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
