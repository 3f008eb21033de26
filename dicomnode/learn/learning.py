"""The path of what is learnt. Read this after `journey.py`.

    labels ─► collect ─► train ─► make ─► answer ─► judge ─► write ─► offer ─► a person promotes
              split, sets  recipes  version  held-out  gate    report   shadow

What travels is a **learning**: one attempt to make a better version of one model. Every line is a durable step, done
once whatever crashes; the work itself is done in child processes that go on from their job's folder. One node makes one
at a time; one that is gone for good loses its turn (`lease.py`).
"""

from dicomnode import durable
from dicomnode.durable import Refused
from dicomnode.learn.stages import LearnStages, Turn


def register_learning(stages: LearnStages) -> None:
    """Register the workflow of learning, before the executor starts."""

    @durable.workflow(name="learn")
    def learn(job: str) -> None:
        """From the labels that piled up to a candidate beside the version in use, or a clear word why not."""
        try:
            if durable.step(stages.begin, job) != Turn.ITS:
                return  # cancelled, already at its end, or another's turn: it is asked again in a minute
            with stages.lease.kept(job):  # other nodes hear that this one lives
                durable.step(stages.collect, job)  # split ─► training set
                durable.step(stages.train, job)  # the candidate, and the arms it is compared with
                durable.step(stages.make, job)  # a version: immutable, named for its digest
                durable.step(stages.answer, job)  # on held-out patients; the look is counted first
                durable.step(stages.judge, job)  # the gate
                durable.step(stages.write, job)  # the report
                durable.step(stages.offer, job)  # the shadow period, unless the gate rejects it
        except Refused as refused:
            durable.step(stages.park, job, refused.family, str(refused))
        except Exception as fault:  # noqa: BLE001 - the one place where a learning is parked for anything else
            durable.step(stages.park, job, "unforeseen", stages.in_words(fault))
