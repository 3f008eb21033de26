"""The hours at which training may run."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dicomnode.learn.window import in_window, opens_in_s

NIGHT = "20:00-06:00"


@pytest.mark.parametrize(
    ("clock", "open_at_night", "open_by_day"),
    [
        ("19:59", False, False),
        ("20:00", True, False),
        ("23:59", True, False),
        ("00:00", True, False),
        ("05:59", True, False),
        ("06:00", False, False),
        ("09:00", False, True),
        ("17:00", False, False),
    ],
)
def test_a_window_may_cross_midnight(clock: str, open_at_night: bool, open_by_day: bool) -> None:
    now = datetime.fromisoformat(f"2026-11-22T{clock}")

    assert in_window(now, NIGHT) is open_at_night
    assert in_window(now, "09:00-17:00") is open_by_day
    assert in_window(now, "")
    assert in_window(now, "20:00-20:00")


def test_it_is_told_how_long_until_the_window_opens() -> None:
    assert opens_in_s(datetime(2026, 11, 22, 18, 0), NIGHT) == 7200
    assert opens_in_s(datetime(2026, 11, 22, 21, 0), NIGHT) == 0
    assert opens_in_s(datetime(2026, 11, 22, 18, 0), "09:00-17:00") == 15 * 3600


def test_the_clock_on_the_wall_counts_when_summer_time_begins() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    evening = datetime(2026, 3, 28, 22, 0, tzinfo=berlin)

    assert opens_in_s(evening, "04:00-06:00") == 5 * 3600  # and not 6: the hour from 2 to 3 is missing
