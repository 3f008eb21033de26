"""Times in cron terms."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dicomnode.learn.cron import cron, last_due, next_due

BERLIN = ZoneInfo("Europe/Berlin")


def at(*when: int) -> float:
    return datetime(*when, tzinfo=BERLIN).timestamp()  # type: ignore[arg-type,misc]


def told(due: datetime | None) -> str:
    return due.strftime("%a %Y-%m-%d %H:%M") if due else "never"


@pytest.mark.parametrize(
    ("terms", "first"),
    [
        ("0 20 1 * *", "Tue 2026-12-01 20:00"),
        ("0 20 * * *", "Sun 2026-11-22 20:00"),
        ("30 1 * * 0", "Sun 2026-11-29 01:30"),
        ("30 1 * * 7", "Sun 2026-11-29 01:30"),
        ("30 1 * * 1-5", "Mon 2026-11-23 01:30"),
        ("30 1 * * 6,0", "Sat 2026-11-28 01:30"),
        ("30 1 * * */3", "Wed 2026-11-25 01:30"),  # sunday, wednesday, saturday
        ("30 1 * * sat", "Sat 2026-11-28 01:30"),
        ("0 0 30 2 *", "never"),
    ],
)
def test_days_of_the_week_are_counted_from_sunday_as_cron_does(terms: str, first: str) -> None:
    assert told(next_due(cron(terms, BERLIN), at(2026, 11, 22, 12, 0))) == first


@pytest.mark.parametrize("terms", ["0 20 1 *", "0 20 1 * mon", "0 25 * * *", "0 20 * * 8", "tonight at 8 pm ok", ""])
def test_what_cron_would_not_understand_is_refused_in_words(terms: str) -> None:
    with pytest.raises(ValueError, match=r'field|name one|no cron terms|day of week "8"'):
        cron(terms, BERLIN)


def test_of_many_missed_moments_the_newest_is_made_up_for() -> None:
    nightly = cron("0 20 * * *", BERLIN)

    assert told(last_due(nightly, at(2026, 6, 1), at(2026, 11, 22, 19, 0))) == "Sat 2026-11-21 20:00"
    assert last_due(nightly, at(2026, 11, 21, 20, 0), at(2026, 11, 22, 19, 59)) is None
    assert told(last_due(cron("* * * * *", BERLIN), 0.0, at(2026, 11, 22, 19, 59))) == "Sun 2026-11-22 19:59"


def test_a_night_in_which_the_clock_changes_has_one_moment_and_not_none() -> None:
    half_past_two = cron("30 2 * * *", BERLIN)

    spring = last_due(half_past_two, at(2026, 3, 28, 12), at(2026, 3, 29, 12))
    autumn = last_due(half_past_two, at(2026, 10, 24, 12), at(2026, 10, 25, 12))

    assert told(spring) == "Sun 2026-03-29 02:30"  # an hour that the wall clock skips; 03:30 by then
    assert told(autumn) == "Sun 2026-10-25 02:30"
