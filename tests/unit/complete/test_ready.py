import pytest

from dicomnode.complete.ready import Ready, Waiting, count_due, counts_agree, readiness, settled
from dicomnode.config.tables import Complete

SETTINGS = Complete(quiet_s=60.0, settle_s=5.0, cap_s=600.0)


def waiting(
    *,
    since_s: float = 0.0,
    last_s: float = 0.0,
    settled_received_s: float | None = None,
    settled_s: float | None = None,
) -> Waiting:
    return Waiting(1, "1.2.3", since_s, last_s, settled_received_s, settled_s)


@pytest.mark.parametrize(("now_s", "expected"), [(159.9, Ready.WAIT), (160.0, Ready.QUIET)])
def test_a_study_goes_on_after_the_quiet_time_and_not_before(now_s: float, expected: Ready) -> None:
    assert readiness(waiting(since_s=90.0, last_s=100.0), SETTINGS, now_s) is expected


def test_a_study_that_never_gets_quiet_goes_on_at_its_cap() -> None:
    assert readiness(waiting(since_s=0.0, last_s=599.0), SETTINGS, 600.0) is Ready.CAP


def test_a_quiet_study_that_still_waits_for_something_reaches_its_cap() -> None:
    assert readiness(waiting(since_s=0.0, last_s=10.0), SETTINGS, 600.0) is Ready.CAP


def test_a_first_count_stands_only_while_nothing_is_received() -> None:
    assert settled(waiting(last_s=10.0, settled_received_s=10.0, settled_s=11.0))
    assert not settled(waiting(last_s=12.0, settled_received_s=10.0, settled_s=11.0))


def test_the_second_count_is_due_the_settle_time_after_the_first() -> None:
    first = waiting(last_s=10.0, settled_received_s=10.0, settled_s=11.0)

    assert not count_due(first, SETTINGS, 15.9)
    assert count_due(first, SETTINGS, 16.0)


@pytest.mark.parametrize(
    ("here", "there", "needed", "expected"),
    [
        ({"a": 3}, {"a": 3}, None, True),
        ({"a": 3}, {"a": 4}, None, False),
        ({"a": 3}, {"a": 3, "b": 1}, None, False),
        ({"a": 3}, {"a": 3, "b": 1}, frozenset({"a"}), True),
        ({"a": 3}, {"b": 1}, frozenset({"a"}), False),
        ({}, {}, None, False),
    ],
    ids=["equal", "one missing", "a series missing", "the needed one equal", "unknown at the PACS", "nothing at all"],
)
def test_counts_agree_when_every_needed_series_is_whole(
    here: dict[str, int], there: dict[str, int], needed: frozenset[str] | None, expected: bool
) -> None:
    assert counts_agree(here, there, needed) is expected
