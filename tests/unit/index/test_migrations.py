"""An index of an older program becomes one of this program, and nothing that it holds is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from dicomnode.index.database import Index
from dicomnode.index.learnings import RUNNING, require_learning
from dicomnode.index.schema import Base


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    found = Index(f"sqlite:///{tmp_path}/index.sqlite")
    yield found
    found.close()


def test_the_migrations_make_the_tables_that_the_program_knows(index: Index) -> None:
    index.migrate()

    with index.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_learning_of_an_older_program_is_kept_and_belongs_to_no_node_yet(index: Index) -> None:
    command.upgrade(index._alembic(), "0006")
    with index.transaction() as session:
        session.execute(
            text(
                "INSERT INTO learnings VALUES ('lung:person:1', 'lung', '', 'person', 'Dr A', 'running', 'train', "
                "'{\"epoch\": 3}', '12 patients', 'aa', '', 1.5, NULL)"
            )
        )

    index.migrate()

    with index.snapshot() as session:
        row = require_learning(session, "lung:person:1")
    assert (row.state, row.stage, row.progress, row.started_s) == (RUNNING, "train", {"epoch": 3}, 1.5)
    assert (row.node, row.process, row.seen_s) == ("", "", None)
