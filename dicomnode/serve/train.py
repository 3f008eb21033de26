"""The train process: one learning at a time, in children that give way to inference."""

import threading

from dicomnode import durable
from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.learn.learning import register_learning
from dicomnode.learn.queue import LEARN
from dicomnode.learn.stages import LearnStages
from dicomnode.serve.beats import Heart
from dicomnode.serve.engine import known_queues


def run_train(config: Config, index: Index, stop: threading.Event) -> None:
    """Learn until told to stop; what is unfinished goes on from its checkpoint at the next start."""
    register_learning(LearnStages(config, index))
    with durable.executor(config.engine_url, config.node.state, "train", [LEARN], known_queues(config)):
        with Heart(index, "train") as heart:
            heart.ready("makes candidates, one at a time")
            stop.wait()
        durable.leave()
