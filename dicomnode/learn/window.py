"""The hours of the day at which training may run."""

from datetime import datetime, time, timedelta


def in_window(now: datetime, window: str) -> bool:
    """Whether a local time lies in a window such as "20:00-06:00"; its end no longer does.

    A window may cross midnight; an empty one, or one that ends when it begins, is the whole day. The clock on the wall
    counts: a window over a change to or from summer time is an hour shorter or longer.
    """
    begin, end = _ends(window)
    at = now.time().replace(tzinfo=None)
    if begin == end:
        return True
    return begin <= at < end if begin < end else at >= begin or at < end


def opens_in_s(now: datetime, window: str) -> float:
    """Seconds until the window opens; 0 where it is open. An aware time is counted as its zone counts."""
    if in_window(now, window):
        return 0.0
    begin, _ = _ends(window)
    opens = datetime.combine(now.date(), begin, now.tzinfo)
    if opens < now:
        opens = datetime.combine(now.date() + timedelta(days=1), begin, now.tzinfo)
    return opens.timestamp() - now.timestamp()


def _ends(window: str) -> tuple[time, time]:
    begin, _, end = (window or "00:00-00:00").partition("-")
    return time.fromisoformat(begin), time.fromisoformat(end)
