"""Whose turn it is, and what becomes of a learning that a person cancels."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.config.tables import Config, Node
from dicomnode.index.database import Index
from dicomnode.index.learning import LookRow
from dicomnode.index.learnings import require_learning
from dicomnode.learn.apart import Stopped
from dicomnode.learn.asking import CANCELLED, Asked, Trigger, ask
from dicomnode.learn.stages import LearnStages, Turn


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[LearnStages]:
    index = Index(f"sqlite:///{tmp_path}/index.sqlite")
    index.migrate()
    yield LearnStages(Config(node=Node(state=tmp_path)), index)
    index.close()


def asked(stages: LearnStages, model: str) -> str:
    with stages.index.transaction() as session:
        return ask(session, Asked(model, Trigger.PERSON, "now"), 1.0).job


def cancelled(stages: LearnStages, job: str) -> None:
    with stages.index.transaction() as session:
        require_learning(session, job).state = CANCELLED


def test_a_second_learning_waits_as_long_as_the_first_takes_and_says_for_which(stages: LearnStages) -> None:
    first, second = asked(stages, "lung"), asked(stages, "liver")

    assert stages.begin(first) == stages.begin(first) == Turn.ITS
    assert stages.begin(second) == Turn.OTHERS
    with stages.index.snapshot() as session:
        row = require_learning(session, second)
        assert (row.state, row.progress) == ("waiting", {"part": f"waits for {first}"})

    cancelled(stages, first)
    assert stages.begin(second) == Turn.ITS
    assert stages.begin(first) == Turn.NONE


def test_a_cancelled_learning_goes_no_stage_further_and_looks_at_no_sealed_test(stages: LearnStages) -> None:
    job = asked(stages, "lung")
    assert stages.begin(job) == Turn.ITS
    cancelled(stages, job)

    for stage in (stages.collect, stages.train, stages.make, stages.answer, stages.judge, stages.write, stages.offer):
        with pytest.raises(Stopped):
            stage(job)

    stages.park(job, "Permanent", "stopped")
    with stages.index.snapshot() as session:
        assert require_learning(session, job).state == CANCELLED
        assert session.query(LookRow).count() == 0
