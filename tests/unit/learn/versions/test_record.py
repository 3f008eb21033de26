"""The record of decisions cannot be changed unseen."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow
from dicomnode.learn.versions.record import checked, keep_head, record
from tests.versions_made import Shelf, shelf_made


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A record of four entries."""
    shelf = shelf_made(tmp_path)
    for number in range(4):
        with shelf.index.transaction() as session:
            record(session, "made", model="bright", digest="d" * 64, details={"number": number, "share": 0.1})
    keep_head(shelf.index, shelf.config.node.state)
    return shelf


def faults(shelf: Shelf) -> tuple[str, ...]:
    with shelf.index.snapshot() as session:
        return checked(session, shelf.config.node.state).faults


def tampered(index: Index, *statements: str) -> None:
    with index.transaction() as session:
        for statement in statements:
            session.execute(text(statement))


def test_a_record_that_nobody_touched_is_whole(shelf: Shelf) -> None:
    assert faults(shelf) == ()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE decisions SET reason = 'another' WHERE number = 2", "entry 2 was changed"),
        ("UPDATE decisions SET at_s = at_s + 1 WHERE number = 3", "entry 3 was changed"),
        ("""UPDATE decisions SET details = '{"number": 9}' WHERE number = 1""", "entry 1 was changed"),
        ("DELETE FROM decisions WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM decisions WHERE number = 1", "entry 1 is missing"),
        ("DELETE FROM decisions WHERE number = 4", "entries are missing at the end"),
        ("DELETE FROM decisions", "entries are missing at the end"),
    ],
)
def test_an_edit_or_a_deletion_is_found(shelf: Shelf, statement: str, words: str) -> None:
    tampered(shelf.index, statement)

    assert any(words in fault for fault in faults(shelf))


def test_entries_that_changed_places_are_found(shelf: Shelf) -> None:
    tampered(
        shelf.index,
        "UPDATE decisions SET number = 99 WHERE number = 2",
        "UPDATE decisions SET number = 2 WHERE number = 3",
        "UPDATE decisions SET number = 3 WHERE number = 99",
    )

    assert faults(shelf)


def test_an_end_that_was_cut_off_is_found_though_the_record_grew_again(shelf: Shelf) -> None:
    tampered(shelf.index, "DELETE FROM decisions WHERE number > 2")
    for _ in range(3):
        with shelf.index.transaction() as session:
            record(session, "made", model="bright", digest="e" * 64)
    keep_head(shelf.index, shelf.config.node.state)

    assert any("decisions.head" in fault for fault in faults(shelf))


def test_entries_that_come_at_once_stand_one_after_the_other(shelf: Shelf) -> None:
    def append(_: int) -> None:
        with shelf.index.transaction() as session:
            record(session, "made")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(append, range(12)))

    assert faults(shelf) == ()
    with shelf.index.snapshot() as session:
        assert session.query(DecisionRow).count() == 16


def test_a_decision_that_was_not_made_leaves_no_entry(shelf: Shelf) -> None:
    def fail() -> None:
        with shelf.index.transaction() as session:
            record(session, "promoted")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with shelf.index.snapshot() as session:
        assert session.query(DecisionRow).count() == 4
