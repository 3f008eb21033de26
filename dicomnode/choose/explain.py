"""Why each route, model and series of a study was taken or not: as a value, as text, and for a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dicomnode.bundles.dicom_toml import DicomToml
from dicomnode.choose.routes import (
    headers_of,
    matching_routes,
    nearest_failure,
    priority_of,
    required_series_missing,
)
from dicomnode.choose.series import choose_series
from dicomnode.config.tables import Route
from dicomnode.values import Choice, Priority, Study


@dataclass(frozen=True)
class RouteVerdict:
    """Whether one route takes a study, and why."""

    name: str
    taken: bool
    reasons: tuple[str, ...]
    """Where not taken: what fails for the image that comes nearest. Else: what the study still lacks."""
    priority: Priority | None
    models: tuple[str, ...]
    destinations: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What becomes of a study."""

    study_uid: str
    routes: tuple[RouteVerdict, ...]
    choices: tuple[Choice, ...]
    """One for each model asked about, whether or not a route leads to it."""


def explain(study: Study, routes: Iterable[Route], models: Mapping[str, DicomToml]) -> Explanation:
    """For each route and each model: whether it takes the study, or which series of it, and why."""
    verdicts = tuple(_route_verdict(study, route) for route in routes)
    return Explanation(study.study_uid, verdicts, tuple(choose_series(study, rules) for rules in models.values()))


def plain_text(explanation: Explanation) -> str:
    """The explanation in lines for a file or a pipe."""
    return "\n".join(_lines(explanation))


def renderable(explanation: Explanation) -> Group:
    """The explanation for a terminal: a table of routes, and one of series for each model."""
    parts: list[Table | Text] = [Text(f"Study {explanation.study_uid}", style="bold")]
    if explanation.routes:
        parts.append(_routes_table(explanation.routes))
    return Group(*parts, *(_choice_table(choice) for choice in explanation.choices))


def _route_verdict(study: Study, route: Route) -> RouteVerdict:
    taken = bool(matching_routes(study, [route]))
    reasons = required_series_missing(study, route) if taken else nearest_failure(route.when, list(headers_of(study)))
    words = tuple(f"still lacks a series with {reason}" if taken else f"no image has {reason}" for reason in reasons)
    priority = priority_of(study, route) if taken else None
    return RouteVerdict(route.name, taken, words, priority, route.models, route.destinations)


def _lines(explanation: Explanation) -> Iterator[str]:
    yield f"study {explanation.study_uid}"
    for route in explanation.routes:
        yield f"route {route.name}: {_route_words(route)}"
    for choice in explanation.choices:
        yield f"model {choice.model}: {_choice_words(choice)}"
        for verdict in choice.verdicts:
            mark = "taken" if verdict.taken else "not taken"
            yield f"  series {verdict.description}: {mark}: {'; '.join(verdict.reasons)}"


def _route_words(route: RouteVerdict) -> str:
    if not route.taken:
        return f"not taken: {'; '.join(route.reasons)}"
    went = f"taken, {route.priority}: {', '.join(route.models)} -> {', '.join(route.destinations)}"
    return "; ".join((went, *route.reasons))


def _choice_words(choice: Choice) -> str:
    return "takes one series" if choice.series else "takes none"


def _routes_table(routes: tuple[RouteVerdict, ...]) -> Table:
    table = Table("Route", "Taken", "Why", title="Routes", title_justify="left")
    for route in routes:
        table.add_row(Text(route.name), _mark(route.taken), Text(_route_words(route)))
    return table


def _choice_table(choice: Choice) -> Table:
    table = Table(
        "Series", "Taken", "Why", title=f"Model {choice.model}: {_choice_words(choice)}", title_justify="left"
    )
    for verdict in choice.verdicts:
        table.add_row(Text(verdict.description), _mark(verdict.taken), Text("\n".join(verdict.reasons)))
    return table


def _mark(taken: bool) -> Text:
    return Text("yes", style="green") if taken else Text("no", style="red")
