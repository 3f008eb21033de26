"""Times in cron terms, as everybody else reads them, for APScheduler."""

from datetime import datetime, tzinfo

from apscheduler.triggers.cron import CronTrigger

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = 5
HOUR_S, DAY_S = 3600.0, 86400.0
LOOKS_BACK_S = (2 * HOUR_S, 2 * DAY_S, 40 * DAY_S, 400 * DAY_S)
"""A missed moment is sought in the shortest of these that holds one: a trigger of every minute has many in a year."""


def cron(terms: str, timezone: tzinfo | None = None) -> CronTrigger:
    """A trigger for "minute hour day-of-month month day-of-week", in local time.

    APScheduler counts the days of the week from Monday, where cron counts from Sunday (0 and 7); and where both kinds
    of day are named, cron means either and APScheduler both, so that this is refused.

    Raises:
        ValueError: these are no cron terms, or both kinds of day are named.
    """
    fields = terms.split()
    if len(fields) != FIELDS:
        raise ValueError(f'"{terms}" has {len(fields)} fields: minute, hour, day of month, month, day of week are five')
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(f'"{terms}" names days of the month and of the week: name one of them, and * for the other')
    try:
        return CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=timezone
        )
    except ValueError as fault:
        raise ValueError(f'"{terms}" are no cron terms: {fault}') from fault


def next_due(trigger: CronTrigger, after_s: float) -> datetime | None:
    """The first moment after a time."""
    after = datetime.fromtimestamp(after_s + 1e-3, trigger.timezone)
    found: datetime | None = trigger.get_next_fire_time(None, after)
    return found


def last_due(trigger: CronTrigger, after_s: float, now_s: float) -> datetime | None:
    """The newest moment after a time and not after now; however many were missed, it is one."""
    for span_s in LOOKS_BACK_S:
        found, at_s = None, max(after_s, now_s - span_s)
        while (due := next_due(trigger, at_s)) is not None and due.timestamp() <= now_s:
            found, at_s = due, max(due.timestamp(), at_s + 1.0)
        if found is not None:
            return found
    return None


def _weekdays(field: str) -> str:
    """Numbers as names: "1-5" is "mon,tue,wed,thu,fri"."""
    return ",".join(_one(part) for part in field.split(","))


def _one(part: str) -> str:
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    if part == "*" or not (span == "*" or first.isdigit()):
        return part
    begin, end = (0, 6) if span == "*" else (int(first), int(last or (first if not step else 6)))
    if not (begin <= end <= 7 and (not step or int(step) > 0)):
        raise ValueError(f'day of week "{part}"')
    return ",".join(DAYS[number % 7] for number in range(begin, end + 1, int(step or 1)))
