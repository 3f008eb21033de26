"""The queue of learning, and the job of one: what the engine needs to know without the parts that do it."""

from dicomnode.durable import Job, Queue
from dicomnode.journey import SELDOM_S
from dicomnode.values import QUEUE_PRIORITY, Priority

LEARN = Queue("learn", 1, SELDOM_S)
"""One learning at a time, over all models: the process that works on it is one."""


AGAIN_S = 60.0
"""Between two looks whether it is the turn of a learning that waits for another, which may take days."""


def learn_job(job: str, now_s: float) -> Job:
    """The workflow of one learning, by the key of its row; another one where the last found that it must wait."""
    moment = int(now_s / AGAIN_S)
    return Job("learn", LEARN.name, f"{workflows_of(job)}{moment}", (job,), QUEUE_PRIORITY[Priority.REPROCESS])


def workflows_of(job: str) -> str:
    """How the ids of the workflows of a learning begin."""
    return f"learn:{job}:"
