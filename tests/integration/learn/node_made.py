"""A train process of one node, and what its engine puts on the queue: argv is the index's URL and the state folder."""

import sys
import time
from pathlib import Path

from dicomnode import durable
from dicomnode.config.tables import Config, Node
from dicomnode.errors import TooFewLabels
from dicomnode.index.database import Index
from dicomnode.learn import lease, queue
from dicomnode.learn.apart import Stopped
from dicomnode.learn.learning import register_learning
from dicomnode.learn.queue import LEARN
from dicomnode.learn.schedule import Schedule
from dicomnode.learn.stages import LearnStages
from dicomnode.serve.duties import start_learning

DONE, GO = "done.txt", "go"


class Slow(LearnStages):
    """A learning whose first stage takes until it is let go, and that writes down what it does."""

    def collect(self, job: str) -> None:
        """Too few, in the end."""
        row = self._at(job, "collect")
        self._wrote("collect")
        watched = self._oversight(row, "collect")
        while not (self.config.node.state / GO).exists():
            if watched.should_stop():
                raise Stopped("another node makes it by now")
            time.sleep(0.1)
        raise TooFewLabels("too few")

    def park(self, job: str, family: str, reason: str) -> None:
        """Say that it ends."""
        super().park(job, family, reason)
        self._wrote(f"ended: {family}")

    def _wrote(self, words: str) -> None:
        with (self.config.node.state / DONE).open("a") as file:
            file.write(f"{words}\n")


def main(url: str, state: Path) -> None:
    """Work until killed; where a node says something every quarter of a second, five seconds are a long silence."""
    queue.AGAIN_S, lease.SAY_S, lease.LEASE_S = 0.5, 0.25, 5.0
    config, index = Config(node=Node(state=state)), Index(url)
    register_learning(Slow(config, index))
    engine = Schedule(config, index, start_learning)
    with durable.executor(f"sqlite:///{state}/engine.sqlite", state, "train", [LEARN], [LEARN]):
        print("ready", flush=True)
        while True:
            engine.start_waiting()
            time.sleep(0.25)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
