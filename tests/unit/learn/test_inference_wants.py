"""When training makes way."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, update

from dicomnode.index.database import Index
from dicomnode.index.schema import PauseRow, RunRow
from dicomnode.learn.apart import inference_wants
from tests.results_made import index_with_run


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """With one run of the model m."""
    opened = index_with_run(tmp_path_factory.mktemp("node"))
    yield opened
    opened.close()


def wants(index: Index, status: str, *, shadow: bool = False, paused: str = "") -> bool:
    with index.transaction() as session:
        session.execute(update(RunRow).values(status=status, shadow=shadow))
        session.execute(delete(PauseRow))
        if paused:
            session.add(PauseRow(scope=paused, by="Dr A", since_s=1.0))
    return inference_wants(index)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("queued", True), ("running", True), ("delivering", False), ("done", False), ("parked", False)],
)
def test_training_makes_way_while_an_analysis_waits_or_runs(index: Index, status: str, expected: bool) -> None:
    assert wants(index, status) is expected


def test_training_does_not_make_way_for_a_run_in_shadow(index: Index) -> None:
    assert not wants(index, "queued", shadow=True)
    assert not wants(index, "running", shadow=True)


@pytest.mark.parametrize(
    ("scope", "expected"), [("all", False), ("model:m", False), ("model:other", True), ("destination:m", True)]
)
def test_training_does_not_make_way_for_what_a_person_paused(index: Index, scope: str, expected: bool) -> None:
    assert wants(index, "queued", paused=scope) is expected
