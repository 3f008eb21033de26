import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from dicomnode.complete.ready import Ready
from dicomnode.complete.watch import Counts, Watch
from dicomnode.config.tables import Complete
from dicomnode.index.database import Index
from dicomnode.index.schema import InstanceRow, SeriesRow, StudyRow
from tests.index_made import index_made

STUDY_UID, SERIES_UID = "1.2.3", "1.2.3.1"
SETTINGS = Complete(quiet_s=60.0, settle_s=5.0, cap_s=600.0)
ARRIVED_S = 1000.0


class Pacs:
    """Answers with the counts it is told to; None: it cannot tell."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    def __call__(self, study_uid: str) -> Counts:
        assert study_uid == STUDY_UID
        return self.counts


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = index_made(tmp_path / "index.sqlite")
    with opened.transaction() as session:
        session.add(StudyRow(study_key=1, study_uid=STUDY_UID, first_received_s=ARRIVED_S, last_received_s=ARRIVED_S))
        session.flush()
        session.add(SeriesRow(series_key=1, study_key=1, series_uid=SERIES_UID))
        session.flush()
        for number in range(3):
            session.add(_instance(number))
    yield opened
    opened.close()


def _instance(number: int, *, own: bool = False, series_key: int = 1) -> InstanceRow:
    return InstanceRow(
        study_key=1,
        series_key=series_key,
        sop_instance_uid=f"1.2.3.1.{series_key}.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        content_digest=f"{number:064x}",
        file=f"studies/{number}.dcm",
        size_bytes=1,
        received_s=ARRIVED_S,
        own_result=own,
        header={},
    )


def watch_of(index: Index, pacs: Pacs) -> Watch:
    return Watch(index, SETTINGS, count=pacs, needed=lambda _: None)


def ticked(watch: Watch, now_s: float) -> list[tuple[int, Ready]]:
    """What one tick finds, with the answer to a query it may have made."""
    found = watch.tick(now_s)
    end_s = time.monotonic() + 10
    while not found and any(not asked.done() for asked in watch._asked.values()) and time.monotonic() < end_s:
        time.sleep(0.01)
    return found or watch.tick(now_s)


def test_equal_counts_twice_end_the_wait_early(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 3}))

    assert ticked(watch, ARRIVED_S + 1.0) == []
    assert ticked(watch, ARRIVED_S + 5.0) == []
    assert ticked(watch, ARRIVED_S + 6.5) == [(1, Ready.COUNTED)]
    watch.close()


def test_an_answer_of_the_pacs_is_told_at_once(index: Index) -> None:
    told = threading.Event()
    watch = Watch(index, SETTINGS, count=Pacs({SERIES_UID: 3}), needed=lambda _: None, told=told.set)

    watch.tick(ARRIVED_S + 1.0)

    assert told.wait(10.0)
    watch.close()


def test_equal_counts_with_an_arrival_between_do_not_count(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 3}))
    ticked(watch, ARRIVED_S + 1.0)
    with index.transaction() as session:
        session.execute(update(StudyRow).values(last_received_s=ARRIVED_S + 3.0))

    assert ticked(watch, ARRIVED_S + 6.5) == []
    assert ticked(watch, ARRIVED_S + 12.0) == [(1, Ready.COUNTED)]
    watch.close()


def test_a_series_that_the_pacs_holds_more_of_is_waited_for_until_the_cap(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 4}))

    assert all(ticked(watch, ARRIVED_S + second) == [] for second in (1.0, 7.0, 30.0, 60.0, 100.0))
    assert ticked(watch, ARRIVED_S + 600.0) == [(1, Ready.CAP)]
    watch.close()


def test_a_broken_series_goes_on_when_its_rest_has_come(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 4}))
    assert all(ticked(watch, ARRIVED_S + second) == [] for second in (1.0, 61.0, 92.0))
    with index.transaction() as session:
        session.execute(update(StudyRow).values(last_received_s=ARRIVED_S + 100.0))
        session.add(_instance(3))

    assert ticked(watch, ARRIVED_S + 101.0) == []
    assert ticked(watch, ARRIVED_S + 106.5) == [(1, Ready.COUNTED)]
    watch.close()


def test_a_series_that_was_never_sent_to_us_is_not_waited_for_beyond_the_quiet_time(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 3, "1.2.3.9": 20}))

    assert ticked(watch, ARRIVED_S + 59.0) == []
    assert ticked(watch, ARRIVED_S + 60.0) == [(1, Ready.QUIET)]
    watch.close()


def test_our_own_results_at_the_pacs_are_left_out_of_the_count(index: Index) -> None:
    with index.transaction() as session:
        session.add(SeriesRow(series_key=2, study_key=1, series_uid="1.2.3.2"))
        session.flush()
        session.add(_instance(9, own=True, series_key=2))
    watch = watch_of(index, Pacs({SERIES_UID: 3, "1.2.3.2": 1}))

    ticked(watch, ARRIVED_S + 1.0)
    assert ticked(watch, ARRIVED_S + 6.5) == [(1, Ready.COUNTED)]
    watch.close()


def test_a_peer_that_cannot_count_falls_back_to_quiet_time(index: Index) -> None:
    watch = watch_of(index, Pacs(None))

    assert ticked(watch, ARRIVED_S + 59.0) == []
    assert ticked(watch, ARRIVED_S + 60.0) == [(1, Ready.QUIET)]
    watch.close()


def test_an_engine_that_starts_anew_asks_before_it_takes_a_quiet_study(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 4}))

    assert all(ticked(watch, ARRIVED_S + second) == [] for second in (61.0, 62.0, 100.0))
    watch.close()


def test_a_pacs_that_does_not_answer_holds_a_quiet_study_for_half_a_minute(index: Index) -> None:
    over = threading.Event()
    watch = Watch(index, SETTINGS, count=lambda _: over.wait(10) and None, needed=lambda _: None)

    assert [watch.tick(ARRIVED_S + second) for second in (61.0, 90.0)] == [[], []]
    assert watch.tick(ARRIVED_S + 91.0) == [(1, Ready.QUIET)]
    over.set()
    watch.close()


def test_an_answer_that_came_while_nobody_looked_is_weighed_however_old(index: Index) -> None:
    watch = watch_of(index, Pacs({SERIES_UID: 4}))
    assert watch.tick(ARRIVED_S + 61.0) == []
    watch._asked[1].result(10)

    assert watch.tick(ARRIVED_S + 200.0) == []
    watch.close()
