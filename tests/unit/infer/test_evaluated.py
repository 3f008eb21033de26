"""Inside or outside the evaluated domain, by the header."""

import pytest

from dicomnode.bundles.dicom_toml import Domain
from dicomnode.config.conditions import Condition
from dicomnode.infer.evaluated import reasons_outside
from dicomnode.values import Header

CHILDREN = Domain(min_age_years=1, max_age_years=5)


def header(**values: str) -> Header:
    return Header(values)


@pytest.mark.parametrize("age", ["001Y", "005Y", "012M", "071M", "053W", "366D"])
def test_children_of_one_to_five_years_are_inside(age: str) -> None:
    assert reasons_outside(CHILDREN, header(PatientAge=age)) == ()


@pytest.mark.parametrize(
    ("age", "spoken"), [("006Y", "6 years"), ("011M", "11 months"), ("072M", "6 years"), ("034Y", "34 years")]
)
def test_another_age_is_outside_and_named(age: str, spoken: str) -> None:
    assert reasons_outside(CHILDREN, header(PatientAge=age)) == (
        f"the patient's age is {spoken}; evaluated on 1 to 5 years",
    )


@pytest.mark.parametrize(
    "values", [{}, {"PatientAge": "5"}, {"PatientBirthDate": "20200101"}, {"StudyDate": "20240101"}]
)
def test_an_unknown_age_is_outside(values: dict[str, str]) -> None:
    assert reasons_outside(CHILDREN, header(**values)) == ("the patient's age is unknown; evaluated on 1 to 5 years",)


@pytest.mark.parametrize(
    ("born", "inside"),
    [("20200601", True), ("20180603", True), ("20180602", False), ("20230601", True), ("20230605", False)],
)
def test_the_birth_date_counts_where_the_age_is_missing(born: str, inside: bool) -> None:
    found = reasons_outside(CHILDREN, header(PatientBirthDate=born, StudyDate="20240602"))

    assert (found == ()) is inside


def test_an_age_that_contradicts_the_birth_date_is_outside() -> None:
    (reason,) = reasons_outside(CHILDREN, header(PatientAge="003Y", PatientBirthDate="19700101", StudyDate="20240101"))

    assert "contradictory" in reason
    assert "19700101" not in reason


@pytest.mark.parametrize(("view", "reasons"), [("pa", 0), (" AP", 0), ("LL", 1), ("", 1)])
def test_only_the_evaluated_views_are_inside(view: str, reasons: int) -> None:
    assert len(reasons_outside(Domain(views=("AP", "PA")), header(ViewPosition=view))) == reasons


def test_every_reason_is_told() -> None:
    domain = Domain(
        max_age_years=5, views=("AP",), require=(Condition(tag="Manufacturer", equals="ACME", why="made by ACME"),)
    )

    assert reasons_outside(domain, header()) == (
        "the patient's age is unknown; evaluated on up to 5 years",
        "the view position is unknown; evaluated on AP",
        "not: made by ACME",
    )


def test_without_limits_everything_is_inside() -> None:
    assert reasons_outside(Domain(), header()) == ()
