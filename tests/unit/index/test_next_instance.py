"""The short way into the index, and the shared one, leave the same rows as the long one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from dicomnode.index.arrivals import Outcome, Received, Stored, enter, record
from dicomnode.index.database import Index
from dicomnode.index.group_commit import Recorder, _driver, _Ticket
from dicomnode.index.next_instance import ThroughSqlAlchemy, enter_next
from dicomnode.index.schema import InstanceRow, ModelVersionRow, SeriesRow, StudyRow
from dicomnode.values import Header
from tests.index_made import index_made

OUR_DEVICE = "1.2.9"


@cache
def empty_index() -> bytes:
    """The file of a migrated index that knows one model version."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "index.sqlite"
        opened = index_made(file)
        with opened.transaction() as session:
            version = ModelVersionRow(digest="d", name="m", version="1", device_uid=OUR_DEVICE)
            version.approved_by, version.approved_s = "someone", 1.0
            session.add(version)
        opened.close()
        return file.read_bytes()


@contextmanager
def index() -> Iterator[Index]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "index.sqlite"
        file.write_bytes(empty_index())
        opened = Index(f"sqlite:///{file}")
        yield opened
        opened.close()


def arrival(number: int = 1, *, content: str = "a", at_s: float = 1.0, **said: str) -> Received:
    """One instance; the same number is the same UID."""
    return Received(
        stored=Stored(f"studies/{number}.{content}.dcm", 100 + number, content, "1.2.840.10008.1.2", "PACS", at_s),
        study_uid=said.get("study", "1.1"),
        series_uid=said.get("series", "1.2"),
        sop_instance_uid=f"1.3.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study={"patient_id": said.get("patient", "P1"), "patient_name": said.get("name", ""), "accession_number": "",
               "patient_birth_date": "", "patient_sex": "", "study_date": "20260304", "description": "CT"},
        series={"modality": "CT", "description": "", "number": "1"},
        device_uids=(said["device"],) if "device" in said else (),
        header=Header({"Modality": "CT", "InstanceNumber": str(number)}),
    )  # fmt: skip


def rows(opened: Index) -> list[dict[str, object]]:
    """Every row of the three tables."""
    with opened.transaction() as session:
        found = [row for table in (StudyRow, SeriesRow, InstanceRow) for row in session.scalars(select(table)).all()]
        return [{column.key: getattr(row, column.key) for column in row.__table__.columns} for row in found]


arrivals = st.builds(
    arrival,
    number=st.integers(1, 4),
    content=st.sampled_from("ab"),
    at_s=st.floats(1, 9),
    study=st.sampled_from(["1.1", "1.5"]),
    series=st.sampled_from(["1.2", "1.6"]),
    patient=st.sampled_from(["P1", "P2", ""]),
    name=st.sampled_from(["", "A^B"]),
    device=st.sampled_from(["1.7", OUR_DEVICE]),
)


@settings(max_examples=25, deadline=None)
@given(sequence=st.lists(arrivals, max_size=8))
def test_any_sequence_of_arrivals_leaves_the_same_rows_and_answers_either_way(sequence: list[Received]) -> None:
    with index() as short, index() as long:
        for one in sequence:
            with long.transaction() as session:
                expected = enter(session, one)

            assert record(short, one) is expected
        assert rows(short) == rows(long)


def test_the_next_instance_of_a_series_takes_the_short_way() -> None:
    with index() as opened:
        assert record(opened, arrival(1)) is Outcome.NEW
        with opened.transaction() as session:
            assert enter_next(ThroughSqlAlchemy(session.connection()), arrival(2))


def test_what_is_out_of_the_ordinary_is_left_to_the_long_way() -> None:
    unusual = [
        arrival(1),
        arrival(1, content="b"),
        arrival(2, study="1.5"),
        arrival(2, series="1.6"),
        arrival(2, patient="P2"),
        arrival(2, device=OUR_DEVICE),
    ]
    with index() as opened:
        record(opened, arrival(1))
        before = rows(opened)
        for one in unusual:
            with opened.transaction() as session:
                assert not enter_next(ThroughSqlAlchemy(session.connection()), one)

        assert rows(opened) == before


@settings(max_examples=25, deadline=None)
@given(sequence=st.lists(arrivals, min_size=1, max_size=8))
def test_arrivals_that_share_a_transaction_leave_the_same_rows_as_one_by_one(sequence: list[Received]) -> None:
    with index() as together, index() as one_by_one:
        expected = [record(one_by_one, one) for one in sequence]

        assert Recorder(together)._together(sequence) == expected
        assert rows(together) == rows(one_by_one)


def test_arrivals_of_many_threads_are_all_recorded() -> None:
    with index() as opened, ThreadPoolExecutor(8) as associations:
        recorder = Recorder(opened)
        outcomes = list(associations.map(recorder.record, [arrival(n, study=f"1.{n % 3}") for n in range(60)]))

        assert outcomes == [Outcome.NEW] * 60
        assert len(rows(opened)) == 60 + 2 * 3


def test_an_arrival_that_cannot_be_written_harms_none_of_those_beside_it() -> None:
    broken = replace(arrival(2), header=Header({"Rows": b"no text"}))  # type: ignore[dict-item]
    with index() as opened:
        tickets = [_Ticket(arrival(1)), _Ticket(broken), _Ticket(arrival(3))]
        Recorder(opened)._serve(tickets)

        assert [ticket.outcome for ticket in tickets] == [Outcome.NEW, None, Outcome.NEW]
        assert isinstance(tickets[1].fault, SQLAlchemyError)
        with pytest.raises(SQLAlchemyError):
            Recorder(opened).record(broken)


def test_the_short_way_waits_for_the_disk_at_each_commit() -> None:
    with index() as opened, _driver(opened) as connection:
        settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert settings == ["wal", 2]
