"""When a candidate is asked for, how often, and why not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicomnode.config.learning import Learn, LearnModel
from dicomnode.config.tables import Config, Node
from dicomnode.index.database import Index
from dicomnode.index.learning import AlarmRow, LabelRow, LearningRow, PatientRow
from dicomnode.index.learnings import Holder, folder_of
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from dicomnode.learn.asking import Asked, NotItsTurn, Overlap, Trigger, ask, take_turn
from dicomnode.learn.schedule import MONTHLY, NIGHTLY, Schedule
from dicomnode.learn.split.keys import patient_key, require_split_key, split_key
from dicomnode.learn.triggers import new_labels, trigger_of
from tests.index_made import index_made

DAY_S = 86400.0
BEFORE = datetime(2026, 11, 30, 12, 0, tzinfo=UTC).timestamp()
AFTER = datetime(2026, 12, 1, 20, 0, tzinfo=UTC).timestamp()
"""The calendar comes due at this moment."""


@dataclass
class Site:
    """A node whose clock the test sets."""

    config: Config
    index: Index
    now_s: float = BEFORE
    started: list[str] = field(default_factory=list)

    def schedule(self) -> Schedule:
        return Schedule(self.config, self.index, self.started.append, now_s=lambda: self.now_s, timezone=UTC)

    def label(self, number: int, patient: str = "", value: float | None = 1.0, at_s: float = BEFORE) -> None:
        with self.index.transaction() as session:
            uid, name = f"1.2.{number}", patient or f"P{number}"
            study = StudyRow(study_uid=uid, patient_id=name, first_received_s=at_s, last_received_s=at_s)
            session.add(study)
            session.flush()
            session.add(
                LabelRow(
                    state="attached", study_key=study.study_key, study_uid=uid, model="lung", output=0,
                    what="presence", value=value, source="sr", made_s=at_s, at_s=at_s, object_uid=uid,
                )
            )  # fmt: skip

    def image(self, number: int, station: str, modality: str = "DX") -> None:
        """An instance of the study of a label."""
        with self.index.transaction() as session:
            study = session.scalars(select(StudyRow).where(StudyRow.study_uid == f"1.2.{number}")).one()
            series = SeriesRow(study_key=study.study_key, series_uid=f"1.2.{number}.{modality}", modality=modality)
            session.add(series)
            session.flush()
            session.add(
                InstanceRow(
                    study_key=study.study_key, series_key=series.series_key, sop_instance_uid=f"9.{number}{modality}",
                    sop_class_uid="1.2", transfer_syntax_uid="1.2", content_digest="0", file="f", size_bytes=1,
                    received_s=BEFORE, header={"StationName": station, "Modality": modality},
                )
            )  # fmt: skip

    def learnings(self) -> dict[str, str]:
        with self.index.snapshot() as session:
            return {row.job: row.state for row in session.scalars(select(LearningRow))}

    def end(self, job: str) -> None:
        with self.index.transaction() as session:
            row = session.get(LearningRow, job)
            assert row is not None
            row.state = "done"

    def triggered(self) -> tuple[Trigger, str] | None:
        with self.index.transaction() as session:
            return trigger_of(session, self.config.node.state, self.config.learn, "lung")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    index = index_made(tmp_path / "index.sqlite")
    learn = Learn(enabled=True, models={"lung": LearnModel()}, min_new_patients=20, min_new_positives=10)
    yield Site(Config(node=Node(state=tmp_path), learn=learn), index)
    index.close()


def test_a_tick_missed_while_the_node_was_down_is_made_up_once_after_the_restart(site: Site) -> None:
    site.label(1)
    site.schedule().add_to(BackgroundScheduler(timezone=UTC))  # first start: nothing is due, the time is noted
    site.now_s = AFTER + 3 * DAY_S

    for _ in range(2):  # two restarts
        scheduler = BackgroundScheduler(timezone=UTC)
        site.schedule().add_to(scheduler)
        scheduler.start(paused=True)
        due = {job.id: job.next_run_time.timestamp() for job in scheduler.get_jobs()}
        scheduler.shutdown()
        if due[MONTHLY] <= site.now_s:
            site.schedule().tick(MONTHLY)

    assert site.learnings() == {"lung:calendar:20261201T2000": "waiting"}
    assert site.started == ["lung:calendar:20261201T2000"]


def test_a_scheduler_wakes_a_missed_tick_by_itself(site: Site) -> None:
    site.label(1)
    site.schedule().add_to(BackgroundScheduler(timezone=UTC))
    site.now_s = AFTER + 60
    scheduler = BackgroundScheduler(timezone=UTC)
    schedule = site.schedule()
    schedule.add_to(scheduler)

    [wakes] = [job for job in scheduler._pending_jobs if job[0].id == MONTHLY]
    wakes[0].func()

    assert site.started == ["lung:calendar:20261201T2000"]


def test_two_processes_that_wake_at_one_moment_ask_once(site: Site) -> None:
    site.label(1)
    one, other = site.schedule(), site.schedule()
    for schedule in (one, other):
        schedule.add_to(BackgroundScheduler(timezone=UTC))
    site.now_s = AFTER

    one.tick(MONTHLY)
    other.tick(MONTHLY)
    one.start_waiting()

    assert site.learnings() == {"lung:calendar:20261201T2000": "waiting"}
    assert set(site.started) == {"lung:calendar:20261201T2000"}


def test_a_clock_set_back_neither_repeats_a_moment_nor_stops_the_calendar(site: Site) -> None:
    site.label(1)
    schedule = site.schedule()
    schedule.add_to(BackgroundScheduler(timezone=UTC))
    site.now_s = AFTER
    schedule.tick(MONTHLY)
    site.now_s = AFTER - 7200

    schedule.tick(MONTHLY)
    assert list(site.learnings()) == ["lung:calendar:20261201T2000"]

    site.end("lung:calendar:20261201T2000")
    site.now_s = datetime(2036, 1, 1, 20, tzinfo=UTC).timestamp()  # wrong by ten years
    schedule.tick(MONTHLY)
    site.now_s = BEFORE + 31 * DAY_S
    schedule.tick(MONTHLY)  # right again
    site.label(2, at_s=site.now_s)
    site.now_s += 5 * DAY_S
    schedule.tick(MONTHLY)
    assert "lung:calendar:20270101T2000" in site.learnings()


def test_a_model_with_an_adapter_for_each_site_is_learnt_for_each_by_itself(site: Site) -> None:
    learn = {"sites": {"north/1": ("CR1",), "south": ("CR2",)}, "models": {"lung": LearnModel(scope="site")}}
    site.config = site.config.model_copy(update={"learn": site.config.learn.model_copy(update=learn)})
    for number, station in enumerate(("CR1", "CR1", "CR2", "unlisted")):
        site.label(number)
        site.image(number, station)
    site.image(2, "CR1", modality="SR")  # written at a workstation of the other site
    schedule = site.schedule()
    schedule.add_to(BackgroundScheduler(timezone=UTC))
    site.now_s = AFTER

    schedule.tick(MONTHLY)

    with site.index.snapshot() as session:
        rows = {row.scope: row for row in session.scalars(select(LearningRow))}
    assert {scope: (row.state, row.reason) for scope, row in rows.items()} == {
        "site:north/1": ("waiting", "2 newly labelled patient(s), 2 newly positive since the last candidate"),
        "site:south": ("waiting", "1 newly labelled patient(s), 1 newly positive since the last candidate"),
    }
    folders = [folder_of(site.config.node.state, row.job) for row in rows.values()]
    assert [folder.parent for folder in folders] == [site.config.node.state / "learning"] * 2
    assert len(set(folders)) == 2


def test_without_a_newly_labelled_patient_the_calendar_asks_for_nothing(site: Site) -> None:
    schedule = site.schedule()
    schedule.add_to(BackgroundScheduler(timezone=UTC))
    site.now_s = AFTER

    schedule.tick(MONTHLY)

    assert site.learnings() == {}


def test_a_candidate_asked_for_while_one_is_made_is_refused_in_words(site: Site) -> None:
    schedule = site.schedule()
    schedule.add_to(BackgroundScheduler(timezone=UTC))
    with site.index.transaction() as session:
        ask(session, Asked("lung", Trigger.PERSON, "1", by="Dr A"), BEFORE)
    site.label(1, at_s=BEFORE + 60)
    site.now_s = AFTER

    schedule.tick(MONTHLY)

    assert site.learnings() == {"lung:person:1": "waiting", "lung:calendar:20261201T2000": "cancelled"}
    with site.index.snapshot() as session:
        row = session.get(LearningRow, "lung:calendar:20261201T2000")
    assert row is not None
    assert "waits for its turn already (lung:person:1)" in row.reason
    with pytest.raises(Overlap, match="dicomnode learn cancel lung:person:1"), site.index.transaction() as session:
        ask(session, Asked("lung", Trigger.PERSON, "2"), BEFORE)


def test_what_is_being_made_is_looked_at_as_well_in_case_its_node_is_gone(site: Site) -> None:
    with site.index.transaction() as session:
        for moment, state in enumerate(("running", "waiting", "done", "parked", "cancelled")):
            ask(session, Asked(f"model{moment}", Trigger.PERSON, "1"), BEFORE + moment).state = state

    site.schedule().start_waiting()

    assert site.started == ["model0:person:1", "model1:person:1"]


def test_one_candidate_is_made_at_a_time_whichever_node_makes_it(site: Site) -> None:
    def take(session: Session, job: str) -> bool:
        return take_turn(session, job, holder=Holder("node", "1"), is_gone=lambda _: False)

    with site.index.transaction() as session:
        ask(session, Asked("lung", Trigger.PERSON, "1"), BEFORE)
        ask(session, Asked("liver", Trigger.PERSON, "1"), BEFORE)
        assert take(session, "lung:person:1")

    with site.index.transaction() as session:
        assert take(session, "lung:person:1"), "once more changes nothing"
        with pytest.raises(NotItsTurn, match="lung:person:1 is being made by node"):
            take(session, "liver:person:1")

    site.end("lung:person:1")
    with site.index.transaction() as session:
        assert not take(session, "lung:person:1")
        assert take(session, "liver:person:1")


def test_new_labels_are_counted_by_patient(site: Site) -> None:
    for number in range(12):
        site.label(number, patient="one" if number < 6 else f"P{number}", value=1.0 if number % 2 else 0.0)
    site.label(20, patient="unsure", value=None)
    site.label(21, patient=" ", value=1.0)
    with site.index.transaction() as session:
        key = require_split_key(session, site.config.node.state)
        session.add(patient_row(key, "P7", merged_into=patient_key(key, "A", "P9")))
        session.add(patient_row(key, "P11", opted_out_s=1.0))

    with site.index.transaction() as session:
        new = new_labels(session, site.config.node.state, "lung")

    assert (new.patients, new.positives) == (5, 2)  # one, P6, P8, P10, and P7 with P9


def patient_row(key: bytes, patient_id: str, **more: object) -> PatientRow:
    row = PatientRow(patient=patient_key(key, "A", patient_id), split="train", assigned_s=0.0)
    for name, value in more.items():
        setattr(row, name, value)
    return row


def test_enough_newly_labelled_patients_or_positives_trigger_a_candidate_once(site: Site) -> None:
    for number in range(19):
        site.label(number, value=0.0)
    assert site.triggered() is None

    site.label(19, value=0.0)
    assert site.triggered() == (
        Trigger.LABELS,
        "20 newly labelled patient(s), 0 newly positive since the last candidate",
    )

    schedule = site.schedule()
    site.now_s = BEFORE
    schedule.add_to(BackgroundScheduler(timezone=UTC))
    for day in (1, 2, 3):
        site.now_s = BEFORE + day * DAY_S
        schedule.tick(NIGHTLY)
    assert site.learnings() == {"lung:labels:20261130T2000": "waiting"}

    site.end("lung:labels:20261130T2000")
    for number in range(30, 40):
        site.label(number, at_s=site.now_s)
    assert site.triggered() == (
        Trigger.LABELS,
        "10 newly labelled patient(s), 10 newly positive since the last candidate",
    )


def test_drift_makes_a_candidate_only_with_labels(site: Site) -> None:
    with site.index.transaction() as session:
        session.add(AlarmRow(model="lung", kind="drift", words="the scanner mix has changed", at_s=BEFORE))
    assert site.triggered() is None

    site.label(1, value=0.0)
    assert site.triggered() is None, "one label is not enough"

    site.label(2, value=0.0)
    found = site.triggered()
    assert found is not None
    assert found[0] is Trigger.DRIFT
    assert found[1].startswith("the scanner mix has changed; 2 newly labelled")


def test_where_learning_is_off_nothing_is_scheduled(site: Site) -> None:
    off = Schedule(Config(learn=Learn(models={"lung": LearnModel()})), site.index, site.started.append)
    scheduler = BackgroundScheduler(timezone=UTC)

    off.add_to(scheduler)

    assert scheduler.get_jobs() == []


def test_a_lost_split_key_stops_learning_and_nothing_else(site: Site) -> None:
    site.label(1)
    schedule = site.schedule()
    schedule.add_to(BackgroundScheduler(timezone=UTC))
    with site.index.transaction() as session:
        new_labels(session, site.config.node.state, "lung")
        session.add(patient_row(split_key(site.config.node.state), "P1"))
    (site.config.node.state / "learning" / "split.key").unlink()
    site.now_s = AFTER

    schedule.tick(MONTHLY)

    assert site.learnings() == {}
