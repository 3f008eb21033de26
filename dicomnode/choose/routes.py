"""Which routes a study takes, how urgently, and what it still lacks."""

from collections.abc import Iterable, Iterator, Sequence

from dicomnode.config.conditions import When
from dicomnode.config.tables import Route
from dicomnode.values import QUEUE_PRIORITY, Header, Priority, Series, Study

REQUESTED = {
    "STAT": Priority.STAT,
    "HIGH": Priority.URGENT,
    "URGENT": Priority.URGENT,
    "ROUTINE": Priority.ROUTINE,
    "MEDIUM": Priority.ROUTINE,
    "LOW": Priority.ROUTINE,
}
"""Requested Procedure Priority (0040,1003) and what it means to us; it raises a route's priority, never lowers it."""


def matching_routes(study: Study, routes: Iterable[Route]) -> tuple[Route, ...]:
    """The routes whose conditions hold for the header of at least one instance, in the order given."""
    return tuple(route for route in routes if any(route.when.holds(header) for header in headers_of(study)))


def priority_of(study: Study, route: Route) -> Priority:
    """The route's priority, or the study's own Requested Procedure Priority where that is more urgent."""
    asked = (REQUESTED.get(header.text("RequestedProcedurePriority").upper()) for header in headers_of(study))
    return min((route.priority, *filter(None, asked)), key=lambda priority: QUEUE_PRIORITY[priority])


def required_series_missing(study: Study, route: Route) -> tuple[str, ...]:
    """For each series that the route requires and the study lacks: its conditions, in words."""
    return tuple(words_of(when) for when in route.required_series if not any(_fits(when, s) for s in study.series))


def needed_series(study: Study, routes: Iterable[Route]) -> frozenset[str] | None:
    """UIDs of the series that these routes require; None where one of them names no series, and so needs all."""
    found = list(routes)
    if not found or not all(route.required_series for route in found):
        return None
    wanted = [when for route in found for when in route.required_series]
    return frozenset(series.series_uid for series in study.series if any(_fits(when, series) for when in wanted))


def nearest_failure(when: When, headers: Sequence[Header]) -> tuple[str, ...]:
    """What fails for the instance that comes nearest to fulfilling the conditions; empty where one fulfils them."""
    return min((when.failed(header) for header in headers), key=len, default=("the study has no images",))


def headers_of(study: Study) -> Iterator[Header]:
    """The headers of all instances."""
    return (instance.header for series in study.series for instance in series.instances)


def words_of(when: When) -> str:
    """Joined conditions as a person would say them."""
    said = [condition.words() for condition in when.all]
    if when.any:
        said.append("(" + " or ".join(condition.words() for condition in when.any) + ")")
    return " and ".join(said) or "any series"


def _fits(when: When, series: Series) -> bool:
    return any(when.holds(instance.header) for instance in series.instances)
