"""Candidates are made one at a time, whichever of several nodes on one index makes them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import select

from dicomnode.index.database import Index
from dicomnode.index.learning import LearningRow
from dicomnode.index.learnings import Holder, require_learning
from dicomnode.index.schema import TickRow
from dicomnode.learn.asking import CHECK_ROW, WAITING, Asked, NotItsTurn, Overlap, Trigger, ask, take_turn
from tests.integration.learn.conftest import NODES


def asked_by(index: Index, moment: str) -> str:
    try:
        with index.transaction() as session:
            return ask(session, Asked("lung", Trigger.PERSON, moment), 1.0).job
    except Overlap as fault:
        return f"refused: {fault.job}"


def nobody(_: LearningRow) -> bool:
    return False


def begun_by(index: Index, job: str, node: str = "one", is_gone: Callable[[LearningRow], bool] = nobody) -> bool:
    try:
        with index.transaction() as session:
            return take_turn(session, job, holder=Holder(node, "1"), is_gone=is_gone)
    except NotItsTurn:
        return False


def test_of_several_that_ask_at_once_one_is_heard_and_the_others_are_told(nodes: list[Index]) -> None:
    with ThreadPoolExecutor(NODES) as pool:
        told = list(pool.map(asked_by, nodes, map(str, range(NODES))))

    [heard] = [job for job in told if not job.startswith("refused")]
    assert told.count(f"refused: {heard}") == NODES - 1


def test_several_that_ask_for_one_moment_ask_once(nodes: list[Index]) -> None:
    with ThreadPoolExecutor(NODES) as pool:
        assert set(pool.map(asked_by, nodes, ["20261201T2000"] * NODES)) == {"lung:person:20261201T2000"}

    with nodes[0].snapshot() as session:
        assert len(session.scalars(select(LearningRow)).all()) == 1


def test_of_several_that_begin_at_once_one_goes_first(nodes: list[Index]) -> None:
    with nodes[0].transaction() as session:
        jobs = [ask(session, Asked(f"model{n}", Trigger.PERSON, "1"), 1.0).job for n in range(NODES)]

    with ThreadPoolExecutor(NODES) as pool:
        begun = list(pool.map(begun_by, nodes, jobs))

    assert begun.count(True) == 1


def test_of_several_that_would_make_one_learning_one_does_and_the_others_leave_it_alone(nodes: list[Index]) -> None:
    with nodes[0].transaction() as session:
        job = ask(session, Asked("lung", Trigger.PERSON, "1"), 1.0).job

    with ThreadPoolExecutor(NODES) as pool:
        begun = list(pool.map(lambda n: begun_by(nodes[n], job, node=f"node {n}"), range(NODES)))

    assert begun.count(True) == 1
    with nodes[0].snapshot() as session:
        assert require_learning(session, job).node == f"node {begun.index(True)}"


def test_of_several_that_find_a_node_gone_one_goes_on_with_what_it_made(nodes: list[Index]) -> None:
    with nodes[0].transaction() as session:
        job = ask(session, Asked("lung", Trigger.PERSON, "1"), 1.0).job
    assert begun_by(nodes[0], job, node="gone for good")

    def taken_by(number: int) -> bool:
        return begun_by(nodes[number], job, node=f"node {number}", is_gone=lambda row: row.node == "gone for good")

    with ThreadPoolExecutor(NODES) as pool:
        assert list(pool.map(taken_by, range(NODES))).count(True) == 1


@pytest.mark.parametrize("before", [False, True], ids=["the first of all", "after others"])
def test_who_begins_has_all_others_wait_until_it_has_begun(nodes: list[Index], *, before: bool) -> None:
    jobs = [f"{model}:person:1" for model in ("lung", "liver")]
    with nodes[0].transaction() as session:
        session.add_all(
            [LearningRow(job=job, model=job, trigger="person", state=WAITING, started_s=1.0) for job in jobs]
        )
        session.add_all([TickRow(job=CHECK_ROW, last_s=0.0)] if before else [])

    with ThreadPoolExecutor(1) as pool:
        with nodes[0].transaction() as session:
            assert take_turn(session, jobs[0], holder=Holder("one", "1"), is_gone=nobody)
            other = pool.submit(begun_by, nodes[1], jobs[1], node="other")
            assert not wait([other], timeout=0.5).done
        assert not other.result()
