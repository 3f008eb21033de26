"""Routes are taken by conditions on tags, and a study's own priority raises theirs."""

from io import StringIO

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from rich.console import Console

from dicomnode.choose.explain import explain, plain_text, renderable
from dicomnode.choose.routes import matching_routes, needed_series, priority_of, required_series_missing
from dicomnode.config.conditions import Condition, When
from dicomnode.config.tables import Route
from dicomnode.values import Priority
from tests.phantom import ct_series, mr_series, study_of
from tests.unit.choose.model_rules import rules


def route(name: str = "r", *conditions: Condition, **settings: object) -> Route:
    return Route.model_validate(
        {"name": name, "when": When(all=conditions), "models": ["m"], "destinations": ["pacs"], **settings}
    )


def is_modality(modality: str) -> Condition:
    return Condition(tag="Modality", equals=modality)


def test_a_route_is_taken_when_one_image_fulfils_all_its_conditions() -> None:
    study = study_of([*ct_series(), *mr_series(name="T1 crop")])
    crop = Condition(tag="SeriesDescription", regex="crop")

    taken = matching_routes(study, [route("ct", is_modality("CT")), route("mr", is_modality("MR"), crop)])

    assert [r.name for r in taken] == ["ct", "mr"]
    assert matching_routes(study, [route("ct crop", is_modality("CT"), crop)]) == ()


def test_a_route_without_conditions_takes_every_study() -> None:
    assert matching_routes(study_of(mr_series()), [route()]) != ()


@pytest.mark.parametrize(
    ("asked", "configured", "priority"),
    [
        ("STAT", Priority.ROUTINE, Priority.STAT),
        ("stat", Priority.ROUTINE, Priority.STAT),
        ("HIGH", Priority.ROUTINE, Priority.URGENT),
        ("MEDIUM", Priority.ROUTINE, Priority.ROUTINE),
        ("LOW", Priority.ROUTINE, Priority.ROUTINE),
        ("ROUTINE", Priority.STAT, Priority.STAT),
        ("SOON", Priority.ROUTINE, Priority.ROUTINE),
        ("", Priority.URGENT, Priority.URGENT),
    ],
)
def test_requested_procedure_priority_raises_a_route_and_never_lowers_it(
    asked: str, configured: Priority, priority: Priority
) -> None:
    images = mr_series()
    images[3].RequestedProcedurePriority = asked

    assert priority_of(study_of(images), route(priority=configured)) is priority


def test_a_priority_inside_the_request_attributes_counts() -> None:
    images = mr_series()
    request = Dataset()
    request.RequestedProcedurePriority = "STAT"
    images[0].RequestAttributesSequence = Sequence([request])

    assert priority_of(study_of(images), route()) is Priority.STAT


def test_a_required_series_that_is_not_there_is_named() -> None:
    wants = [
        When(all=(is_modality("CT"),)),
        When(all=(is_modality("MR"), Condition(tag="SeriesDescription", regex="T2"))),
    ]
    study = study_of([*ct_series(), *mr_series(name="T1")])

    assert required_series_missing(study, route(required_series=wants)) == (
        "Modality = MR and SeriesDescription matching /T2/",
    )


def test_completeness_needs_the_required_series_alone_or_all() -> None:
    study = study_of([*ct_series(), *mr_series()])
    ct_uid = study.series[0].series_uid
    picky = route(required_series=[When(all=(is_modality("CT"),))])

    assert needed_series(study, [picky]) == {ct_uid}
    assert needed_series(study, [picky, route("other")]) is None
    assert needed_series(study, []) is None


def test_an_explanation_names_routes_models_and_series() -> None:
    study = study_of([*ct_series(name="Thorax"), *mr_series(name="T1")])
    stroke = route("stroke", is_modality("CT"), Condition(tag="BodyPartExamined", equals="HEAD"))
    chest = route("chest", is_modality("CT"), required_series=[When(all=(is_modality("PT"),))])

    said = plain_text(explain(study, [stroke, chest], {"m": rules()}))

    assert said.splitlines() == [
        f"study {study.study_uid}",
        "route stroke: not taken: no image has BodyPartExamined = HEAD",
        "route chest: taken, routine: m -> pacs; still lacks a series with Modality = PT",
        "model m: takes one series",
        "  series 1 CT Thorax: taken: fits every condition, and no other series does",
        "  series 1 MR T1: not taken: modality MR, the model takes CT",
    ]


def test_an_explanation_can_be_shown_on_a_terminal() -> None:

    console = Console(width=120, record=True, file=StringIO())
    console.print(renderable(explain(study_of(ct_series(name="[red]Thorax")), [route()], {"m": rules()})))

    shown = console.export_text()
    assert "[red]Thorax" in shown
    assert "fits every condition" in shown
