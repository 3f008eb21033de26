"""A long table of labels comes in beside everybody else's work."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dicomnode.index.database import Index
from dicomnode.index.learning import LabelRow
from dicomnode.learn.harvest import many
from dicomnode.learn.harvest.attaching import attach
from dicomnode.learn.harvest.labels import Added, NewLabel, add_labels
from dicomnode.learn.harvest.many import enter_labels
from dicomnode.learn.split.keys import KEY_FILE, SplitKeyLost
from dicomnode.learn.split.patients import InIndex, entered
from dicomnode.learn.values import Source
from tests.unit.learn.harvest.labels_made import label, study

LONGEST_LOOK_S = 0.1
"""Between two looks of SQLite at a lock that it waits for (sqliteDefaultBusyCallback)."""


@pytest.fixture
def table(index: Index) -> list[NewLabel]:
    """Five labels; the studies of three are here."""
    with index.transaction() as session:
        for n in range(3):
            study(session, f"1.{n}", patient=f"P{n}")
    return [label(f"1.{n}", source=Source.TABLE, object_uid=f"line:{n}") for n in range(5)]


def rows(index: Index) -> list[LabelRow]:
    with index.snapshot() as session:
        return session.query(LabelRow).all()


def test_who_writes_finds_the_index_free_while_a_table_of_labels_comes_in(
    index: Index, table: list[NewLabel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def another_writes(pause_s: float) -> None:
        if pause_s > LONGEST_LOOK_S:
            with closing(sqlite3.connect(tmp_path / "index.sqlite", timeout=0)) as other, other:
                other.execute("UPDATE studies SET description = 'later'")
            seen.append(len(rows(index)))

    monkeypatch.setattr(many, "AT_ONCE", 2)
    monkeypatch.setattr(many.time, "sleep", another_writes)

    told = list(enter_labels(index, tmp_path, table))

    assert seen == [2, 4]
    assert [(len(one.keys), one.waiting) for one in told] == [(2, 0), (4, 1), (5, 2)]
    assert len({row.patient for row in rows(index)}) == 4  # three keys, and none yet for those that wait


def test_labels_that_are_entered_again_change_nothing(
    index: Index, table: list[NewLabel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "AT_ONCE", 2)
    next(enter_labels(index, tmp_path, table))  # and no further
    before = [(row.label_key, row.at_s, row.state) for row in rows(index)]

    (*_, whole) = enter_labels(index, tmp_path, table)
    (*_, again) = enter_labels(index, tmp_path, table)

    assert (len(whole.keys), whole.known, again) == (3, 2, Added(known=5))
    assert [(row.label_key, row.at_s, row.state) for row in rows(index)][:2] == before


def test_where_the_split_key_is_lost_no_label_of_a_table_is_entered(
    index: Index, table: list[NewLabel], tmp_path: Path
) -> None:
    with index.transaction() as session:
        entered(InIndex(session), many.require_split_key(session, tmp_path), "f" * 64, 1.0)
    (tmp_path / KEY_FILE).unlink()

    with pytest.raises(SplitKeyLost):
        list(enter_labels(index, tmp_path, table[3:]))

    assert rows(index) == []


def looked_at(index: Index, count: int) -> int:
    """Steps of a thousand that SQLite takes to see which of so many waiting labels found one of so many studies."""
    steps: list[int] = []
    with index.transaction() as session:
        for n in range(count):
            study(session, f"1.{count}.{n}", accession=f"A{count}.{n}")
        waiting = [label(f"2.{count}.{n}") if n % 2 else label("", accession_number=f"B{n}") for n in range(count)]
        add_labels(session, waiting, Path())
        driver = session.connection().connection.driver_connection
        driver.set_progress_handler(lambda: steps.append(1), 1000)
        assert attach(session, Path()) == 0
        driver.set_progress_handler(None, 0)
    return len(steps)


def test_labels_that_wait_are_not_compared_with_every_study(index: Index) -> None:
    assert looked_at(index, 600) < 50
