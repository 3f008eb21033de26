"""Candidates are made one at a time, whichever of several nodes on one index makes them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, select

from dicomnode.index.database import Index
from dicomnode.index.learning import LearningRow
from dicomnode.index.schema import TickRow
from dicomnode.learn.asking import Asked, NotItsTurn, Overlap, Trigger, ask, take_turn
from tests.postgresql import is_possible, postgresql

NODES = 6


WITHOUT = pytest.mark.skipif(not is_possible(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module", params=["SQLite", pytest.param("PostgreSQL", marks=WITHOUT)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "SQLite":
        yield f"sqlite:///{tmp_path_factory.mktemp('index')}/index.sqlite"
        return
    with postgresql() as found:
        yield found


@pytest.fixture
def nodes(url: str) -> Iterator[list[Index]]:
    """Several nodes with one index, in which nothing was ever asked for."""
    found = [Index(url) for _ in range(NODES)]
    found[0].migrate()
    with found[0].transaction() as session:
        session.execute(delete(LearningRow))
        session.execute(delete(TickRow))
    yield found
    for index in found:
        index.close()


def asked_by(index: Index, moment: str) -> str:
    try:
        with index.transaction() as session:
            return ask(session, Asked("lung", Trigger.PERSON, moment), 1.0).job
    except Overlap as fault:
        return f"refused: {fault.job}"


def begun_by(index: Index, job: str) -> bool:
    try:
        with index.transaction() as session:
            return take_turn(session, job)
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
