"""An empty index for each test."""

import shutil
from pathlib import Path

import pytest

from dicomnode.index.database import Index


@pytest.fixture(scope="session")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an index without rows."""
    file = tmp_path_factory.mktemp("index") / "index.sqlite"
    index = Index(f"sqlite:///{file}")
    index.migrate()
    index.close()
    return file


@pytest.fixture
def index(empty_index: Path, tmp_path: Path) -> Index:
    """An index of the test's own."""
    file = shutil.copy(empty_index, tmp_path / "index.sqlite")
    return Index(f"sqlite:///{file}")
