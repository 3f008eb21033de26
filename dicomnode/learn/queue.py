"""The queue of learning, and the job of one: what the engine needs to know without the parts that do it."""

from dicomnode.durable import Job, Queue
from dicomnode.journey import SELDOM_S
from dicomnode.values import QUEUE_PRIORITY, Priority

LEARN = Queue("learn", 1, SELDOM_S)
"""One learning at a time, over all models: the process that works on it is one."""


def learn_job(job: str) -> Job:
    """The workflow of one learning, by the key of its row."""
    return Job("learn", LEARN.name, f"learn:{job}", (job,), QUEUE_PRIORITY[Priority.REPROCESS])
