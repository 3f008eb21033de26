"""From readers' labels to a judged candidate with its report, stage by stage, on images that a reader can predict."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from dicomnode.bundles.approval import approve
from dicomnode.index.learning import DecisionRow, LearnedVersionRow, LookRow, PatientRow, ShadowRow
from dicomnode.index.learnings import REPORT, report_of, require_learning
from dicomnode.learn.apart import Oversight
from dicomnode.learn.asking import Asked, Trigger, ask
from dicomnode.learn.child import worked
from dicomnode.learn.evaluate.files import load_evidence, load_judgement
from dicomnode.learn.job import DONE, AnyOrder, place_order, read, write
from dicomnode.learn.split.keys import patient_key, split_key, split_of
from dicomnode.learn.stages import LearnStages, Turn
from dicomnode.learn.values import Split, Verdict
from tests.learning_made import classifier_made
from tests.phantom import Subject, dx_image
from tests.unit.learn.sets.conftest import Hospital

MODEL = "small"
WANTED = {Split.TRAIN: 24, Split.VALIDATION: 10, Split.CALIBRATION: 10, Split.TEST: 12, Split.RETENTION: 6}


def in_this_process(folder: Path, order: AnyOrder, _: Oversight) -> dict[str, object]:
    """A child's work, done here."""
    if (done := read(folder / DONE)) is not None:
        return done
    place_order(folder, order)
    path = list(sys.path)
    try:
        done = worked(order, folder)
    finally:
        sys.path[:] = path
    write(folder / DONE, done)
    return done


def striped(patient: str, *, positive: bool) -> Dataset:
    """Noise, with a bright stripe for the positives."""
    values = np.random.default_rng(abs(hash(patient)) % 2**32).normal(1000, 300, (16, 16)).astype(np.float32)
    values[6:10] += 900 if positive else 0
    subject = Subject(patient_id=patient, patient_name=f"Planted^{patient}", study=f"study of {patient}")
    image = dx_image(view="PA", name=f"DX {patient}", subject=subject, values=values.clip(0, 4095))
    image.AccessionNumber = "PLANTEDACC"
    return image


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(tmp_path)
    learn = made.config.learn.model_copy(update={"enabled": True, "recipe": "norm", "threads": 1})
    made.config = made.config.model_copy(update={"learn": learn})
    classifier_made(made.config.infer.folder)
    approve(made.index, made.config.infer.folder / MODEL, "a test")
    secret = split_key(made.state)
    missing = dict(WANTED)
    for n in range(2000):
        patient = f"PLANTED-{n}"
        split = split_of(secret, patient_key(secret, "", patient))
        if missing[split] and (missing := missing | {split: missing[split] - 1}):
            image = striped(patient, positive=n % 2 == 0)
            made.receive(image)
            made.label(str(image.StudyInstanceUID), float(n % 2 == 0), model=MODEL, object_uid=f"1.2.{n}")
    yield made
    made.index.close()


def test_labels_become_a_judged_candidate_with_its_report_and_nobody_is_named(hospital: Hospital) -> None:
    stages = LearnStages(hospital.config, hospital.index, in_this_process)
    with hospital.index.transaction() as session:
        job = ask(session, Asked(MODEL, Trigger.PERSON, "now", by="Ada Lovelace"), 1.0).job

    left_over = stages.folder(job) / "candidate" / "order.json"  # by an attempt that another node went on with
    left_over.parent.mkdir(parents=True)
    left_over.write_text("of another training set")

    assert stages.begin(job) == Turn.ITS
    for stage in (stages.collect, stages.train, stages.make, stages.answer, stages.judge, stages.write, stages.offer):
        stage(job)
        stage(job)  # a crash behind it does it again

    evidence, judgement = load_evidence(stages.folder(job)), load_judgement(stages.folder(job))
    assert len(evidence.candidate.item_ids) == WANTED[Split.TEST]
    assert evidence.candidate.item_ids == evidence.baseline.item_ids
    assert set(evidence.retention) == {"retention"}
    assert [point.share for point in evidence.curve] == [0.25, 0.5, 1.0]
    assert evidence.local_only is not None
    assert judgement.verdict in (Verdict.UNDERPOWERED, Verdict.SHADOW)  # twelve patients prove nothing
    with hospital.index.snapshot() as session:
        row = require_learning(session, job)
        assert (row.state, row.candidate[:6]) == ("done", evidence.candidate.version[:6])
        version = session.get_one(LearnedVersionRow, row.candidate)
        assert (version.verdict, version.state) == (judgement.verdict, "shadow")
        assert session.query(LookRow).count() == session.query(ShadowRow).count() == 1
        assert [one.what for one in session.query(DecisionRow)] == ["made", "judged", "shadow started"]
        told = session.query(PatientRow).filter(PatientRow.trained).count()
        assert told == sum(WANTED[split] for split in (Split.TRAIN, Split.VALIDATION, Split.CALIBRATION))
        report = report_of(session, hospital.state, MODEL, "")
    assert report == stages.folder(job) / REPORT
    assert str(judgement.verdict) in report.read_text()
    for folder in ("learning", "training", "models"):
        for path in (hospital.state / folder).rglob("*"):
            assert not path.is_file() or b"PLANTED" not in path.read_bytes(), path.name
