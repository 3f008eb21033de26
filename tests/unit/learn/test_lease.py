"""One node makes a learning; one that nobody hears of loses its turn, and one that comes back changes nothing."""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest

from dicomnode.config.tables import Config, Node
from dicomnode.index.database import Index
from dicomnode.index.learning import LearningRow
from dicomnode.index.learnings import RUNNING, require_learning
from dicomnode.learn import lease
from dicomnode.learn.apart import Stopped
from dicomnode.learn.asking import WAITING, Asked, Trigger, ask
from dicomnode.learn.lease import GAP_S, LEASE_S, Lease, node_of
from dicomnode.learn.oversight import oversight
from dicomnode.learn.stages import LearnStages, Turn
from tests.index_made import index_made

MINUTE_S = 60.0


@dataclass
class Clock:
    """The monotonic clock of a process, that the test moves on."""

    now_s: float = 0.0


@dataclass(frozen=True)
class Process(LearnStages):
    """A train process."""

    clock: Clock = field(default_factory=Clock)

    @cached_property
    def lease(self) -> Lease:
        return Lease(self.index, self.config.node.state, lambda: self.clock.now_s)

    def row(self, job: str) -> LearningRow:
        with self.index.snapshot() as session:
            return require_learning(session, job)

    def begins_after(self, job: str, minutes: int) -> str:
        """What it is told at the end when it asks every minute whether it is its turn."""
        told = self.begin(job)
        for _ in range(minutes):
            self.clock.now_s += MINUTE_S
            told = self.begin(job)
        return told


@dataclass
class Site:
    """Nodes that share an index."""

    folder: Path
    index: Index

    def process(self, node: str) -> Process:
        """A train process of a node, started now."""
        return Process(Config(node=Node(state=self.folder / node)), self.index)

    def asked(self, model: str) -> str:
        with self.index.transaction() as session:
            return ask(session, Asked(model, Trigger.PERSON, "1"), 1.0).job


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, index_made(tmp_path / "index.sqlite"))


def until(found: Callable[[], bool]) -> bool:
    ends_s = time.monotonic() + 10
    while not (so := found()) and time.monotonic() < ends_s:
        time.sleep(0.01)
    return so


def test_the_name_of_a_node_is_its_hosts_and_stays_with_its_state_folder(tmp_path: Path) -> None:
    first = node_of(tmp_path / "a")

    assert re.fullmatch(re.escape(socket.gethostname()[:48]) + "-[0-9a-f]{8}", first)
    assert node_of(tmp_path / "a") == first != node_of(tmp_path / "b")


def test_of_two_nodes_with_one_index_and_an_engine_each_one_makes_a_learning(site: Site) -> None:
    one, other, job = site.process("one"), site.process("other"), site.asked("lung")

    assert (one.begin(job), other.begin(job)) == (Turn.ITS, Turn.OTHERS)

    with pytest.raises(Stopped, match="another node makes it"):
        other.collect(job)
    assert one.row(job).node == one.lease.holder.node
    assert one.row(job).progress == {}, "what waits is told of those that wait alone"


def test_a_node_that_is_gone_loses_its_turn_to_another_learning_and_its_own_waits_again(site: Site) -> None:
    gone, other = site.process("gone"), site.process("other")
    first, second = site.asked("lung"), site.asked("liver")
    gone.begin(first)
    gone._at(first, "train")

    assert other.begins_after(second, 15) == Turn.OTHERS
    assert other.begins_after(second, 1) == Turn.ITS

    row = other.row(first)
    assert (row.state, row.stage, row.node, row.candidate, row.training_set) == (WAITING, "", "", "", "")
    assert row.reason == f"begun again: nobody heard of {gone.lease.holder.node}, which was at train"
    assert other.begin(first) == Turn.OTHERS
    assert other.row(first).progress == {"part": f"waits for {second}"}


def test_what_a_node_made_that_is_gone_is_made_by_another_from_the_start(site: Site) -> None:
    gone, other, job = site.process("gone"), site.process("other"), site.asked("lung")
    gone.begin(job)
    gone._at(job, "train")

    assert other.begins_after(job, 16) == Turn.ITS

    row = other.row(job)
    assert (row.state, row.stage, row.node) == (RUNNING, "", other.lease.holder.node)


def test_a_node_that_comes_back_stops_and_changes_nothing(site: Site) -> None:
    late, other, job = site.process("late"), site.process("other"), site.asked("lung")
    late.begin(job)
    row = late._at(job, "train")
    watched = oversight(late.config, late.index, job, "candidate", late.lease.holder)
    other.begins_after(job, 16)
    other._at(job, "collect")
    before = vars(other.row(job)) | {"_sa_instance_state": None}

    watched.on_progress({"epoch": 3})
    with late.lease.kept(job):
        assert watched.should_stop()
        for stage in (late.train, late.make, late.answer, late.judge, late.write, late.offer):
            with pytest.raises(Stopped):
                stage(row.job)
    late.park(job, "Stopped", "another node makes it by now")

    assert vars(other.row(job)) | {"_sa_instance_state": None} == before


def test_a_restarted_node_goes_on_at_once_and_its_former_process_would_not(site: Site) -> None:
    former, job = site.process("node"), site.asked("lung")
    former.begin(job)
    former._at(job, "train")
    again = site.process("node")

    with again.lease.kept(job):  # the engine has it that the learning began
        assert again._at(job, "make").stage == "make"

    with pytest.raises(Stopped):
        former._at(job, "make")


def test_a_node_that_ended_before_the_first_stage_begins_at_once_when_it_is_back(site: Site) -> None:
    job = site.asked("lung")
    assert site.process("node").begin(job) == site.process("node").begin(job) == Turn.ITS


def test_of_two_nodes_with_one_copied_state_folder_one_makes_a_learning(site: Site) -> None:
    one, copy, job = site.process("node"), site.process("node"), site.asked("lung")
    one.begin(job)
    one._at(job, "collect")

    assert copy.begins_after(job, 5) == Turn.OTHERS


def test_a_learning_that_an_older_program_began_goes_on(site: Site) -> None:
    job, process = site.asked("lung"), site.process("node")
    with site.index.transaction() as session:
        require_learning(session, job).state = RUNNING

    with process.lease.kept(job):
        process._at(job, "train")

    assert process.row(job).node == process.lease.holder.node


def test_a_node_says_that_it_lives_for_as_long_as_it_makes_a_learning(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SAY_S", 0.01)
    process, job = site.process("node"), site.asked("lung")
    process.begin(job)

    with process.lease.kept(job):  # nothing is asked and no stage begins: it is outside its hours
        for _ in range(2):
            seen_s = process.row(job).seen_s
            assert until(lambda seen_s=seen_s: process.row(job).seen_s != seen_s)
    seen_s = process.row(job).seen_s
    time.sleep(0.05)
    assert process.row(job).seen_s == seen_s


def looks(heard: Lease, clock: Clock, row: LearningRow, seen_s: list[float], every_s: float = MINUTE_S) -> list[bool]:
    """What is found at one look after another, at each of which the holder has last spoken at another time."""
    told = []
    for row.seen_s in seen_s:
        clock.now_s += every_s
        told.append(heard.is_gone(row))
    return told


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heard(site: Site, clock: Clock) -> Lease:
    return Lease(site.index, site.folder, lambda: clock.now_s)


@pytest.fixture
def row() -> LearningRow:
    return LearningRow(job="lung:person:1", node="other", process="1", seen_s=0.0)


def test_a_node_that_is_paused_all_night_keeps_its_turn(heard: Lease, clock: Clock, row: LearningRow) -> None:
    assert not any(looks(heard, clock, row, [MINUTE_S * n for n in range(12 * 60)]))


def test_clocks_that_differ_or_are_set_back_take_no_turn(heard: Lease, clock: Clock, row: LearningRow) -> None:
    yesterday = time.time() - 86400
    assert not any(looks(heard, clock, row, [yesterday + MINUTE_S * n for n in range(30)]))
    assert not any(looks(heard, clock, row, [yesterday - MINUTE_S * n for n in range(30)]))

    told = looks(heard, clock, row, [time.time() + 86400] * 17)
    assert told == [False] * 16 + [True], "and a node that is gone is found, wherever its clock stood"


def test_time_in_which_nobody_could_look_does_not_count(heard: Lease, clock: Clock, row: LearningRow) -> None:
    assert not any(looks(heard, clock, row, [0.0] * 10))
    assert not any(looks(heard, clock, row, [0.0], every_s=10 * LEASE_S)), "the index was away for everybody"
    assert not any(looks(heard, clock, row, [0.0] * 20, every_s=GAP_S + 1))
    assert looks(heard, clock, row, [0.0] * 16)[-1]
