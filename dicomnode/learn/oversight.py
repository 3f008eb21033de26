"""Who has a say while a job of learning runs: inference, the hours of the site, and a person."""

import time
from collections.abc import Callable
from datetime import datetime

from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.index.learnings import Holder, held, is_held, require_learning
from dicomnode.learn.apart import Oversight, inference_wants
from dicomnode.learn.asking import Trigger
from dicomnode.learn.window import in_window

HOUR_S = 3600.0
NOTE_S = 2.0
"""Between two notes of how far a job is."""
ASK_S = 1.0
"""Between two looks whether a person cancelled it, or another node makes it by now."""


def oversight(config: Config, index: Index, job: str, part: str, holder: Holder) -> Oversight:
    """What is asked and told while one part of a learning runs.

    It waits while an analysis does, and outside the hours of [learn] window, unless a person asked for it. After
    [learn] max_hours of work it is ended.
    """
    with index.snapshot() as session:
        by_person = require_learning(session, job).trigger == Trigger.PERSON
    window = "" if by_person else config.learn.window

    def told(said: dict[str, object]) -> None:
        with index.transaction() as session:
            if row := held(session, job, holder):
                row.progress = {"part": part, **said}

    def is_over() -> bool:
        with index.snapshot() as session:
            return not is_held(require_learning(session, job), holder)

    return Oversight(
        on_progress=_seldom(told),
        should_pause=lambda: inference_wants(index) or not in_window(datetime.now(), window),
        should_stop=_remembered(is_over),
        timeout_s=config.learn.max_hours * HOUR_S,
        idle=config.learn.idle,
    )


def _seldom(told: Callable[[dict[str, object]], None]) -> Callable[[dict[str, object]], None]:
    last_s = 0.0

    def on_progress(said: dict[str, object]) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= NOTE_S:
            last_s = time.monotonic()
            told(said)

    return on_progress


def _remembered(asked: Callable[[], bool]) -> Callable[[], bool]:
    """The same answer for a second."""
    last_s, answer = 0.0, False

    def again() -> bool:
        nonlocal last_s, answer
        if time.monotonic() - last_s >= ASK_S:
            last_s, answer = time.monotonic(), asked()
        return answer

    return again
