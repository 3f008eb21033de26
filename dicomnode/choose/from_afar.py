"""Whether a route could take a study, from the little that a PACS tells of it before it is sent to us."""

from collections.abc import Iterable

from dicomnode.config.conditions import Condition, When
from dicomnode.config.tables import Route
from dicomnode.values import Header


def could_take(routes: Iterable[Route], told: Iterable[Header]) -> bool:
    """Whether one of the routes could hold for one of these headers, had we all of it."""
    headers = list(told)
    return any(_could_hold(route.when, header) for route in routes for header in headers)


def merged(study: Header, series: Header) -> Header:
    """What is told of a study and of one of its series, as one header."""
    return Header({**study.values, **series.values})


def _could_hold(when: When, header: Header) -> bool:
    all_could = all(_could(condition, header) for condition in when.all)
    return all_could and (not when.any or any(_could(condition, header) for condition in when.any))


def _could(condition: Condition, header: Header) -> bool:
    """A condition on an attribute that was not told could hold."""
    return not header.text(condition.tag) or condition.holds(header)
