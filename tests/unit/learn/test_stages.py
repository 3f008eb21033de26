"""Whose turn it is, and what becomes of a learning that a person cancels."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomnode.config.tables import Config, Node
from dicomnode.errors import ModelFault
from dicomnode.index.database import Index
from dicomnode.index.learning import LookRow, PatientRow
from dicomnode.index.learnings import CANCELLED, require_learning
from dicomnode.learn.apart import Stopped
from dicomnode.learn.asking import Asked, Trigger, ask
from dicomnode.learn.sets.manifest import save_set
from dicomnode.learn.stages import LearnStages, Turn
from dicomnode.learn.values import Item, Split, TrainingSet


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


def test_a_patient_who_opts_out_after_the_set_was_built_is_not_trained_on(stages: LearnStages) -> None:
    state, patient = stages.config.node.state, "a" * 64
    item = Item("1" * 64, patient, "2" * 64, Split.TRAIN, (1.0,))
    made = save_set(TrainingSet("", "lung", "3" * 64, "4" * 64, (item,), state), state / "training" / "sets")
    (state / "training" / "items" / item.file).parent.mkdir(parents=True)
    (state / "training" / "items" / item.file).touch()
    job = asked(stages, "lung")
    assert stages.begin(job) == Turn.ITS
    with stages.index.transaction() as session:
        require_learning(session, job).training_set = made.stem
        session.add(PatientRow(patient=patient, split=Split.TRAIN, assigned_s=1.0, opted_out_s=2.0))

    with pytest.raises(ModelFault, match=r"1 patient\(s\) opted out meanwhile"):
        stages.train(job)

    with stages.index.snapshot() as session:
        assert not session.get_one(PatientRow, patient).trained
