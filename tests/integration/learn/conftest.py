"""One index that several nodes share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from dicomnode.index.database import Index
from dicomnode.index.learning import DecisionRow, LearningRow
from dicomnode.index.schema import TickRow
from tests.postgresql import is_possible, postgresql

NODES = 6
WITHOUT = pytest.mark.skipif(not is_possible(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="package", params=["SQLite", pytest.param("PostgreSQL", marks=WITHOUT)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the index."""
    if request.param == "SQLite":
        yield f"sqlite:///{tmp_path_factory.mktemp('index')}/index.sqlite"
        return
    with postgresql() as found:
        yield found


@pytest.fixture
def nodes(url: str) -> Iterator[list[Index]]:
    """Several nodes with one index, in which nothing was ever asked for or decided."""
    found = [Index(url) for _ in range(NODES)]
    found[0].migrate()
    with found[0].transaction() as session:
        for table in (LearningRow, TickRow, DecisionRow):
            session.execute(delete(table))
    yield found
    for index in found:
        index.close()
