"""The alpha ledger: what a look costs, and that none is free."""

import threading
from pathlib import Path

import pytest

from dicomnode.config.learning import GatePlan
from dicomnode.index.database import Index
from dicomnode.index.learning import LookRow, SealedSetRow
from dicomnode.learn.evaluate import ledger
from dicomnode.learn.evaluate.ledger import Look, NotSealed, alpha_of, take_look
from dicomnode.learn.values import Verdict
from tests.index_made import index_made

PLAN = GatePlan()


@pytest.fixture
def index(tmp_path: Path):
    opened = index_made(tmp_path / "index.sqlite")
    yield opened
    opened.close()


def sealed(index: Index, *patients: str) -> str:
    name = "".join(patients).ljust(64, "0")
    with index.transaction() as session:
        session.add(SealedSetRow(sealed_set=name, model="chest", patients=list(patients), sealed_s=1.0))
    return name


def look(index: Index, sealed_set: str, candidate: str, plan: GatePlan = PLAN) -> Look:
    with index.transaction() as session:
        return take_look(session, plan, sealed_set=sealed_set, candidate=candidate)


def test_all_looks_together_spend_less_than_alpha() -> None:
    spent = [alpha_of(k, 0.025) for k in range(1, 10_001)]

    assert spent[:3] == [0.0125, 0.025 / 6, 0.025 / 12]
    assert sum(spent) < 0.025


def test_a_look_is_written_down_before_there_is_a_verdict_and_a_crash_in_between_counts(index: Index) -> None:
    one = sealed(index)
    assert look(index, one, "first") == Look(1, 0.0125)

    assert look(index, one, "second").look == 2
    with index.snapshot() as session:
        assert session.get(LookRow, (one, 1)).verdict == ""


def test_the_same_candidate_gets_no_second_look_however_often_it_asks(index: Index) -> None:
    one = sealed(index)
    first = look(index, one, "first")
    look(index, one, "second")

    assert look(index, one, "first") == first


def test_a_set_is_not_looked_at_more_often_than_planned_nor_after_it_was_retired(index: Index) -> None:
    one, plan = sealed(index), GatePlan(max_looks=2)
    look(index, one, "first", plan), look(index, one, "second", plan)

    with pytest.raises(NotSealed, match="looked at 2 times: retire it"):
        look(index, one, "third", plan)
    with index.transaction() as session:
        session.get(SealedSetRow, one).retired_s = 2.0
    with pytest.raises(NotSealed):
        look(index, one, "third", GatePlan(max_looks=9))
    assert look(index, one, "second", plan).look == 2  # the report of an old candidate can still be made


def test_candidates_that_ask_at_once_get_different_looks(index: Index) -> None:
    one, found = sealed(index), []
    threads = [threading.Thread(target=lambda n=n: found.append(look(index, one, f"c{n}").look)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [1, 2, 3, 4, 5, 6]


def test_a_clock_that_is_set_back_changes_no_number(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sealed(index)
    look(index, one, "first")
    monkeypatch.setattr(ledger.time, "time", lambda: 0.0)

    assert look(index, one, "second").look == 2
    assert look(index, one, "third").look == 3


def test_a_verdict_is_written_once(index: Index) -> None:
    one = sealed(index)
    look(index, one, "first")
    with index.transaction() as session:
        ledger.write_verdict(session, sealed_set=one, look=1, verdict=Verdict.SHADOW)
        ledger.write_verdict(session, sealed_set=one, look=1, verdict=Verdict.SHADOW)

    with pytest.raises(NotSealed), index.transaction() as session:
        ledger.write_verdict(session, sealed_set=one, look=1, verdict=Verdict.PROMOTE)
    with pytest.raises(NotSealed), index.transaction() as session:
        ledger.write_verdict(session, sealed_set=one, look=2, verdict=Verdict.PROMOTE)


def test_a_set_that_nobody_sealed_cannot_be_looked_at(index: Index) -> None:
    with pytest.raises(NotSealed, match="no sealed test set"):
        look(index, "0" * 64, "first")
