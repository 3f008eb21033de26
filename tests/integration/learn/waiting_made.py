"""A process that works on the queue of learning while another candidate is being made: argv is its folder."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from dicomnode import durable
from dicomnode.config.tables import Config, Node
from dicomnode.errors import TooFewLabels
from dicomnode.index.database import Index
from dicomnode.index.learnings import Holder, require_learning
from dicomnode.learn import queue
from dicomnode.learn.asking import Asked, Trigger, ask, take_turn
from dicomnode.learn.learning import register_learning
from dicomnode.learn.queue import LEARN
from dicomnode.learn.stages import LearnStages
from dicomnode.serve.duties import start_learning


class Short(LearnStages):
    """A learning that ends in its first stage."""

    def collect(self, job: str) -> None:
        """Too few."""
        raise TooFewLabels(f"too few: {job}")


def until(found: Callable[[], bool], each: Callable[[], None]) -> None:
    """Do something again and again until that is so, for half a minute."""
    ends_s = time.monotonic() + 30
    while not found() and time.monotonic() < ends_s:
        each()
        time.sleep(0.2)


def main(folder: Path) -> None:
    """Print how the waiting one stands, before and after the first one's end."""
    queue.AGAIN_S = 0.5
    index = Index(f"sqlite:///{folder}/index.sqlite")
    index.migrate()
    with index.transaction() as session:
        first, second = (ask(session, Asked(model, Trigger.PERSON, "1"), 1.0).job for model in ("lung", "liver"))
        take_turn(session, first, holder=Holder("another node", "1"), is_gone=lambda _: False)
    register_learning(Short(Config(node=Node(state=folder)), index))

    def told() -> tuple[str, object, str]:
        with index.snapshot() as session:
            row = require_learning(session, second)
            return row.state, row.progress.get("part"), row.reason

    with durable.executor(f"sqlite:///{folder}/engine.sqlite", folder, "train", [LEARN], [LEARN]):
        until(lambda: told()[1] is not None, lambda: start_learning(second))
        until(lambda: not durable.is_unfinished("learn:"), lambda: None)
        print(*told(), sep="|")
        with index.transaction() as session:
            require_learning(session, first).state = "done"
        until(lambda: told()[0] == "done", lambda: start_learning(second))
        print(*told(), sep="|")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
