"""A node that learns; its tables are made once, since that takes longer than a test."""

import shutil
from pathlib import Path

import pytest

from dicomnode.index.database import Index
from tests.integration.learn.harvest.reader_made import learning_site
from tests.site_made import Site


@pytest.fixture(scope="session")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an index without rows."""
    file = tmp_path_factory.mktemp("index") / "index.sqlite"
    index = Index(f"sqlite:///{file}")
    index.migrate()
    index.close()
    return file


@pytest.fixture
def site(empty_index: Path, tmp_path: Path) -> Site:
    """A node that takes labels from the AE title READER."""
    (tmp_path / "state").mkdir()
    shutil.copy(empty_index, tmp_path / "state" / "index.sqlite")
    return learning_site(tmp_path)
